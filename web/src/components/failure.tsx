import { wireError } from "../lib/errors.ts";
import { Diagnostics } from "./diagnostics.tsx";
import { Notice } from "./notice.tsx";

/** A failed request in the place where it was made, in the control plane's words; or nothing. */
export function Failure({ error, className = "" }: { error: unknown; className?: string }) {
  if (error === null || error === undefined) return null;
  const { message, diagnostics } = wireError(error);
  return (
    <div className={className}>
      <Notice title={message}>
        {diagnostics.length > 0 ? <Diagnostics diagnostics={diagnostics} /> : undefined}
      </Notice>
    </div>
  );
}
