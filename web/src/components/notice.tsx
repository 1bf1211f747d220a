import type { ReactNode } from "react";
import { plainText } from "../lib/plain-text.ts";
import { WarningIcon } from "./icons.tsx";

/** A failure in its place on the page: what happened and what to do. */
export function Notice({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div role="alert" className="rounded-xl border border-bad/30 bg-bad-soft p-3.5 text-sm">
      <p className="flex items-start gap-2 font-medium text-bad">
        <WarningIcon className="mt-0.5 size-4" />
        <span className="min-w-0 break-words whitespace-pre-wrap">{plainText(title)}</span>
      </p>
      {children !== undefined && children !== false && (
        <div className="mt-3 text-ink">{children}</div>
      )}
    </div>
  );
}
