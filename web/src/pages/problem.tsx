import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Button, buttonLook } from "../components/button.tsx";
import { LogoIcon } from "../components/icons.tsx";
import { PageHeading } from "../components/page.tsx";
import { wireError } from "../lib/errors.ts";
import { usePageTitle } from "../lib/page-title.ts";

function Frame({ title, children }: { title: string; children: ReactNode }) {
  usePageTitle(title);
  return (
    <main className="mx-auto max-w-md space-y-4 px-4 pt-[18dvh]">
      <LogoIcon />
      <PageHeading>{title}</PageHeading>
      {children}
    </main>
  );
}

export function NotFoundPage() {
  return (
    <Frame title="There is nothing at this address">
      <p className="text-sm text-muted">It may be mistyped, or of something that is gone.</p>
      <Link to="/" className={buttonLook()}>
        All workspaces
      </Link>
    </Frame>
  );
}

/** What a page shows that could not load at all. */
export function ProblemPage({ error }: ErrorComponentProps) {
  return (
    <Frame title="This page could not load">
      <p role="alert" className="text-sm text-muted">
        {wireError(error).message}
      </p>
      <Button kind="solid" onClick={() => window.location.reload()}>
        Try again
      </Button>
    </Frame>
  );
}
