import { OneloopError } from "../protocol/errors.ts";
import type { WorkspaceState } from "../protocol/workspace.ts";

/** Every legal transition; nothing else writes a state. */
const transitions: Readonly<Record<WorkspaceState, readonly WorkspaceState[]>> = {
  starting: ["running", "stopping", "deleting", "failed"],
  running: ["stopping", "deleting", "failed", "starting"],
  stopping: ["stopped", "failed", "deleting"],
  stopped: ["starting", "deleting"],
  failed: ["starting", "stopping", "deleting"],
  // Back to stopped: work was found that the user has not seen when he said delete.
  deleting: ["failed", "stopped"],
};

/** @throws OneloopError `illegal-transition`: a defect of ours, never a user's mistake. */
export function assertTransition(from: WorkspaceState, to: WorkspaceState): void {
  if (from === to || transitions[from].includes(to)) return;
  throw new OneloopError("illegal-transition", `A workspace that is ${from} cannot become ${to}.`);
}
