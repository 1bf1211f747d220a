import type { ReactNode } from "react";
import { useFocusOnArrival } from "../lib/focus.ts";
import { usePageTitle } from "../lib/page-title.ts";
import { TopBar } from "./top-bar.tsx";

/** A page that scrolls: its title, what acts on the whole of it, and its content. */
export function Page({
  title,
  intro,
  actions,
  children,
}: {
  title: string;
  intro?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  usePageTitle(title);
  return (
    <div className="flex min-h-dvh flex-col">
      <TopBar />
      <main id="main" className="mx-auto w-full max-w-5xl flex-1 px-4 py-6 sm:px-6 sm:py-9">
        <div className="flex min-h-9 flex-wrap items-center justify-between gap-x-4 gap-y-2">
          <PageHeading>{title}</PageHeading>
          {actions}
        </div>
        {intro !== undefined && (
          <p className="mt-1.5 max-w-2xl text-sm text-pretty text-muted">{intro}</p>
        )}
        <div className="mt-6">{children}</div>
      </main>
    </div>
  );
}

/** The page's name. A change of page moves the focus here, so that screen readers say it. */
export function PageHeading({ children }: { children: ReactNode }) {
  const heading = useFocusOnArrival();
  return (
    <h1
      ref={heading}
      tabIndex={-1}
      data-page-heading
      className="text-xl font-semibold tracking-tight outline-none"
    >
      {children}
    </h1>
  );
}

/** A part of a page with a frame of its own. */
export function Card({
  title,
  intro,
  children,
}: {
  title: string;
  intro?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section aria-label={title} className="rounded-xl border border-line bg-surface">
      <div className="border-b border-line px-4 py-3 sm:px-5">
        <h2 className="text-[15px] font-semibold tracking-tight">{title}</h2>
        {intro !== undefined && (
          <p className="mt-1 max-w-2xl text-[13px] text-pretty text-muted">{intro}</p>
        )}
      </div>
      <div className="px-4 py-4 sm:px-5">{children}</div>
    </section>
  );
}
