import { plainText } from "../lib/plain-text.ts";
import { dismissToast, useToasts } from "../lib/toasts.ts";
import { IconButton } from "./button.tsx";
import { CheckIcon, CrossIcon, WarningIcon } from "./icons.tsx";

export function Toasts() {
  const toasts = useToasts();
  return (
    <div
      aria-live="polite"
      className="pointer-events-none fixed inset-x-3 bottom-3 z-50 flex flex-col items-end gap-2"
    >
      {toasts.map(({ id, kind, message }) => (
        <div
          key={id}
          role={kind === "error" ? "alert" : "status"}
          className="pointer-events-auto flex w-full max-w-md items-start gap-2.5 rounded-xl border border-line bg-surface py-2.5 pr-2 pl-3.5 text-sm shadow-lg"
        >
          {kind === "error" ? (
            <WarningIcon className="mt-1 size-4 text-bad" />
          ) : (
            <CheckIcon className="mt-1 size-4 text-good" />
          )}
          <p className="min-w-0 flex-1 py-0.5 break-words whitespace-pre-wrap">
            {plainText(message)}
          </p>
          <IconButton label="Dismiss" size="small" onClick={() => dismissToast(id)}>
            <CrossIcon />
          </IconButton>
        </div>
      ))}
    </div>
  );
}
