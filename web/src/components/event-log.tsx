import type { WorkspaceEvent } from "../../../server/protocol/workspace.ts";
import { absoluteTime, timeOfDay } from "../lib/format.ts";
import { isOutput } from "../lib/phases.ts";
import { plainText } from "../lib/plain-text.ts";
import { DotIcon, WarningIcon } from "./icons.tsx";

/** The newest that are shown; the rest is `loop logs`' matter. */
const shownEvents = 300;

/** What happened in the workspace, the newest first; without the output of builds. */
export function EventLog({ events }: { events: readonly WorkspaceEvent[] }) {
  const shown = events
    .filter((event) => !isOutput(event))
    .slice(-shownEvents)
    .toReversed();
  if (shown.length === 0) return <p className="text-sm text-muted">Nothing has happened yet.</p>;
  return (
    <ol aria-label="Events" aria-live="polite" className="text-sm">
      {shown.map((event) => (
        <li key={event.id} className="grid grid-cols-[1rem_minmax(0,1fr)_auto] gap-x-2.5 py-1.5">
          <span className="pt-0.5">
            <LevelIcon level={event.level} />
          </span>
          <EventText event={event} />
          <time
            dateTime={event.at}
            title={absoluteTime(event.at)}
            className="pt-0.5 font-mono text-xs text-muted tabular-nums"
          >
            {timeOfDay(event.at)}
          </time>
        </li>
      ))}
    </ol>
  );
}

/** The sentence; a text of several lines, such as one with a caret, as it was set. */
function EventText({ event }: { event: WorkspaceEvent }) {
  const { file, line, column } = event;
  const message = plainText(event.message);
  const set = message.includes("\n");
  return (
    <div className="min-w-0">
      {file !== undefined && (
        <p className="font-mono text-xs break-all text-muted">
          {[plainText(file), line, column].filter((part) => part !== undefined).join(":")}
        </p>
      )}
      {set ? (
        <pre
          tabIndex={0}
          className="overflow-x-auto font-mono text-xs leading-relaxed whitespace-pre"
        >
          {message}
        </pre>
      ) : (
        <p className="text-[13px] break-words">{message}</p>
      )}
    </div>
  );
}

function LevelIcon({ level }: { level: WorkspaceEvent["level"] }) {
  switch (level) {
    case "info":
      return <DotIcon className="size-4 text-line-strong" />;
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
