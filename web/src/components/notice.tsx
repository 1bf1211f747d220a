import type { ReactNode } from "react";
import { WarningIcon } from "./icons.tsx";

/** A failure in its place on the page: what happened and what to do. */
export function Notice({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div role="alert" className="rounded-xl border border-bad/30 bg-bad-soft p-4 text-sm">
      <p className="flex items-start gap-2 font-medium text-bad">
        <WarningIcon className="mt-0.5 size-4" />
        <span className="min-w-0 break-words whitespace-pre-wrap">{title}</span>
      </p>
      {children !== undefined && <div className="mt-3 text-ink">{children}</div>}
    </div>
  );
}
