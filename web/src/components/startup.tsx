import { useEffect, useRef, type ReactNode } from "react";
import type { WorkspaceEvent, WorkspaceState } from "../../../server/protocol/workspace.ts";
import { duration, since } from "../lib/format.ts";
import { lastStart, phasesOf, type Phase } from "../lib/phases.ts";
import { plainText } from "../lib/plain-text.ts";
import { useNow } from "../lib/use-now.ts";
import { CheckIcon, RingIcon, SpinnerIcon, WarningIcon } from "./icons.tsx";

/** Lines of output that are kept on the page; a build can print tens of thousands. */
const shownLines = 400;

/** The way to a running workspace: its phases with their times, and what they print. */
export function Startup({
  events,
  state,
}: {
  events: readonly WorkspaceEvent[];
  state: WorkspaceState;
}) {
  const phases = phasesOf(events, state);
  const begin = lastStart(events, state)[0]?.at;
  return (
    <section
      aria-label="Start"
      className="overflow-hidden rounded-xl border border-line bg-surface"
    >
      <div className="flex items-center justify-between border-b border-line px-4 py-2.5">
        <h2 className="text-sm font-semibold">{state === "failed" ? "Last start" : "Starting"}</h2>
        {state === "starting" && begin !== undefined && <Elapsed begin={begin} />}
      </div>
      <ol aria-label="Phases" className="divide-y divide-line">
        {phases.map((phase) => (
          <PhaseRow key={phase.name} phase={phase} begin={begin} />
        ))}
      </ol>
    </section>
  );
}

function Elapsed({ begin }: { begin: string }) {
  const now = useNow(500);
  return (
    <span aria-hidden="true" className="font-mono text-xs text-muted tabular-nums">
      {duration(now - Date.parse(begin))}
    </span>
  );
}

function PhaseRow({ phase, begin }: { phase: Phase; begin: string | undefined }) {
  const { title, state, result, endedAt, output } = phase;
  return (
    <li data-phase={phase.name} data-phase-state={state} className="px-4 py-2.5 text-sm">
      <div className="flex items-start gap-2.5">
        <span className="pt-0.5">{phaseIcon(state)}</span>
        <div className="min-w-0 flex-1">
          <p
            className={
              state === "waiting" || state === "not-reached" ? "text-muted" : "font-medium"
            }
          >
            {title}
            <span className="sr-only">: {stateWords[state]}</span>
          </p>
          {result !== null && <p className="text-[13px] text-muted">{plainText(result)}</p>}
        </div>
        {endedAt !== null && begin !== undefined && (
          <time dateTime={endedAt} className="pt-0.5 font-mono text-xs text-muted tabular-nums">
            {since(begin, endedAt)}
          </time>
        )}
      </div>
      {output.length > 0 && (
        <Output events={output} title={title} follow={state === "active" || state === "failed"} />
      )}
    </li>
  );
}

const stateWords: Record<Phase["state"], string> = {
  waiting: "waits",
  active: "goes on",
  done: "done",
  failed: "failed",
  "not-reached": "not done",
};

function phaseIcon(state: Phase["state"]): ReactNode {
  switch (state) {
    case "waiting":
    case "not-reached":
      return <RingIcon className="size-4 text-muted" />;
    case "active":
      return <SpinnerIcon className="text-wait" />;
    case "done":
      return <CheckIcon className="size-4 text-good" />;
    case "failed":
      return <WarningIcon className="size-4 text-bad" />;
    default:
      return state satisfies never;
  }
}

/** What a phase prints; it stays at its end while that is what one looks at. */
function Output({
  events,
  title,
  follow,
}: {
  events: readonly WorkspaceEvent[];
  title: string;
  follow: boolean;
}) {
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  const lines = events.slice(-shownLines).map(({ message }) => plainText(message).trimEnd());
  const text = lines.join("\n");
  useEffect(() => {
    if (text !== "" && atEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [text]);
  return (
    <details open={follow} className="group mt-1.5 ml-6.5">
      <summary className="w-fit cursor-pointer rounded text-[13px] text-muted hover:text-ink">
        Output ({events.length} {events.length === 1 ? "line" : "lines"})
      </summary>
      <pre
        ref={box}
        tabIndex={0}
        aria-label={`Output of ${title}`}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
        className="mt-1.5 max-h-64 overflow-auto rounded-lg bg-sunken p-3 font-mono text-xs leading-relaxed"
      >
        {text}
      </pre>
    </details>
  );
}
