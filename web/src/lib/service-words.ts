import type { WorkspaceServiceView } from "../../../server/protocol/workspace.ts";

/** What a state means to somebody who looks: all is well, wait, look into it, or nothing at all. */
export type Tone = "good" | "wait" | "bad" | "off";

type State = WorkspaceServiceView["state"];

const states: Readonly<Record<State, { readonly word: string; readonly tone: Tone }>> = {
  created: { word: "Created", tone: "wait" },
  running: { word: "Running", tone: "good" },
  exited: { word: "Ended", tone: "bad" },
  missing: { word: "Not there", tone: "off" },
  waiting: { word: "Waiting", tone: "wait" },
  building: { word: "Building", tone: "wait" },
  pulling: { word: "Pulling", tone: "wait" },
  starting: { word: "Starting", tone: "wait" },
  completed: { word: "Completed", tone: "good" },
  "backing-off": { word: "Backing off", tone: "bad" },
  failed: { word: "Failed", tone: "bad" },
  unknown: { word: "Unknown", tone: "wait" },
};

const healthWords = {
  starting: "not ready yet",
  ready: "ready",
  unready: "not ready",
} as const;

/** A service's state in a word, with its health where its probes say something of it. */
export function serviceWords(
  { state, health }: Pick<WorkspaceServiceView, "state" | "health">,
  workspaceRuns: boolean,
): { readonly word: string; readonly tone: Tone } {
  // What is stopped on purpose is not missing.
  if (state === "missing" && !workspaceRuns) return { word: "Stopped", tone: "off" };
  const { word, tone } = states[state];
  if (health === null) return { word, tone };
  const withHealth = `${word}, ${healthWords[health]}`;
  if (tone !== "good" || health === "ready") return { word: withHealth, tone };
  return { word: withHealth, tone: health === "starting" ? "wait" : "bad" };
}

/** Something is being done for it: another wish would have to wait. */
export function isBusy({ state }: Pick<WorkspaceServiceView, "state">): boolean {
  return state === "building" || state === "pulling";
}
