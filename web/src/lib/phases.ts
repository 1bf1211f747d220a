import type { WorkspaceEvent, WorkspaceState } from "../../../server/protocol/workspace.ts";

export type PhaseName = "images" | "source" | "network" | "services";

export interface Phase {
  readonly name: PhaseName;
  readonly title: string;
  readonly state: "waiting" | "active" | "done" | "failed" | "not-reached";
  /** ISO 8601; null before it. */
  readonly endedAt: string | null;
  /** The sentence that it ended with. */
  readonly result: string | null;
  /** The output of a build, a pull or a checkout, oldest first. */
  readonly output: readonly WorkspaceEvent[];
}

/** Which events tell of which phase: `lines` as they come, `end` when it is done. */
const phases: readonly {
  name: PhaseName;
  title: string;
  lines: readonly string[];
  end: readonly string[];
}[] = [
  { name: "source", title: "Source", lines: ["storage", "checkout"], end: ["checked-out"] },
  { name: "images", title: "Images", lines: ["image", "build"], end: ["images-ready"] },
  { name: "network", title: "Network", lines: ["sandbox"], end: ["sandbox-ready"] },
  { name: "services", title: "Services", lines: ["before-start", "start"], end: ["started"] },
];

/** Which phase an error is of; an error of none of them is told above, not in a phase. */
const failedPhases: Partial<Record<string, PhaseName>> = {
  "image-unavailable": "images",
  "image-not-found": "images",
  "image-denied": "images",
  "checkout-failed": "source",
  "repository-unreachable": "source",
  "repository-not-allowed": "source",
  "ref-not-found": "source",
  "isolation-unavailable": "network",
  "container-exited": "services",
  "supervisor-unreachable": "services",
};

const outputCodes = new Set(phases.flatMap(({ lines }) => lines));

/** Whether an event is a line of a build's, a pull's or a checkout's output. */
export function isOutput({ code, level }: WorkspaceEvent): boolean {
  return level === "info" && outputCodes.has(code);
}

/**
 * The events since the last start began: after what ended the one before. Events are in order.
 */
export function lastStart(
  events: readonly WorkspaceEvent[],
  state: WorkspaceState,
): readonly WorkspaceEvent[] {
  const ends = ({ code, level }: WorkspaceEvent): boolean =>
    code === "stopped" || code === "started" || code === "engine-restarted" || level === "error";
  // The error or the success that the last start itself ended with belongs to it.
  const own = state === "starting" ? events.length : events.findLastIndex(ends);
  if (own === -1) return events;
  const before = events.slice(0, own).findLastIndex(ends);
  return events.slice(before + 1);
}

/**
 * How far the last start has come, of all events of a workspace in order. Source, images and network
 * are made at the same time; the services start when all three are there.
 */
export function phasesOf(all: readonly WorkspaceEvent[], state: WorkspaceState): Phase[] {
  const events = lastStart(all, state);
  const started = events.some(({ code }) => code === "started" || code === "start");
  const error = events.findLast(({ level }) => level === "error")?.code ?? "";
  const unfinished = (name: PhaseName): Phase["state"] => {
    if (state === "failed") return failedPhases[error] === name ? "failed" : "not-reached";
    return name === "services" && !started ? "waiting" : "active";
  };
  return phases.map(({ name, title, lines, end }) => {
    const output = events.filter(({ code, level }) => lines.includes(code) && level === "info");
    const ended = events.findLast(({ code }) => end.includes(code));
    // The source is checked out once, and kept.
    const kept = name === "source" && all.some(({ code }) => code === "checked-out");
    const over =
      ended !== undefined || kept || (name !== "services" && started) || state === "running";
    return {
      name,
      title,
      output,
      endedAt: ended?.at ?? null,
      result: ended?.message ?? null,
      state: over ? "done" : unfinished(name),
    };
  });
}
