import type { WorkspaceEvent, WorkspaceState } from "../../../server/protocol/workspace.ts";
import { since, timeOfDay } from "../lib/format.ts";
import { CheckIcon, SpinnerIcon, WarningIcon } from "./icons.tsx";

/** What happened while the workspace came up, newest last. */
export function EventLog({
  events,
  state,
}: {
  events: readonly WorkspaceEvent[];
  state: WorkspaceState;
}) {
  const busy = busyWord(state);
  return (
    <ol aria-label="Events" aria-live="polite" aria-busy={busy !== null} className="text-sm">
      {events.map((event) => (
        <li key={event.id} className="grid grid-cols-[1.25rem_minmax(0,1fr)_auto] gap-x-2.5 py-1.5">
          <span className="pt-0.5">
            <LevelIcon level={event.level} />
          </span>
          <div className="min-w-0">
            {event.file !== undefined && (
              <p className="font-mono text-xs text-muted">
                {[event.file, event.line, event.column]
                  .filter((part) => part !== undefined)
                  .join(":")}
              </p>
            )}
            <p
              className={
                event.message.includes("\n")
                  ? "overflow-x-auto font-mono text-xs leading-relaxed whitespace-pre"
                  : "break-words"
              }
            >
              {event.message}
            </p>
          </div>
          <time
            dateTime={event.at}
            title={since(events[0]?.at ?? event.at, event.at)}
            className="pt-0.5 font-mono text-xs text-muted tabular-nums"
          >
            {timeOfDay(event.at)}
          </time>
        </li>
      ))}
      {busy !== null && (
        <li className="grid grid-cols-[1.25rem_minmax(0,1fr)] gap-x-2.5 py-1.5 text-muted">
          <SpinnerIcon className="mt-0.5 text-wait" />
          {busy}
        </li>
      )}
    </ol>
  );
}

/** What the control plane is doing now; `null` where it waits for nothing. */
function busyWord(state: WorkspaceState): string | null {
  switch (state) {
    case "starting":
      return "Starting";
    case "stopping":
      return "Stopping";
    case "deleting":
      return "Deleting";
    case "running":
    case "stopped":
    case "failed":
      return null;
    default:
      return state satisfies never;
  }
}

function LevelIcon({ level }: { level: WorkspaceEvent["level"] }) {
  switch (level) {
    case "info":
      return <CheckIcon className="size-4 text-good" />;
    case "warning":
      return (
        <>
          <WarningIcon className="size-4 text-wait" />
          <span className="sr-only">Warning:</span>
        </>
      );
    case "error":
      return (
        <>
          <WarningIcon className="size-4 text-bad" />
          <span className="sr-only">Error:</span>
        </>
      );
    default:
      return level satisfies never;
  }
}
