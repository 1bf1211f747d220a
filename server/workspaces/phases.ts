import type { EnginePhase } from "../engine/steps.ts";

/**
 * Every point at which a kill of the control plane leaves something else behind, named by what has
 * just been done. The tests kill it at each of them; what a restart makes of it is promised.
 */
export type Phase =
  /** Within a step of the engine. */
  | EnginePhase
  // An open, up to the row that the reconciler works from.
  | "refs-listed"
  | "commit-fetched"
  | "devfile-read"
  | "row-inserted"
  | "id-claimed"
  // What is made ready before anybody asks.
  | "pool-row-added"
  | "pool-sandbox-prepared"
  | "pool-mirror-prepared"
  | "pool-job-prepared"
  // A start.
  | "images-known"
  | "storage-made"
  | "checkout-done"
  | "sandbox-ready"
  | "members-started"
  | "setup-told"
  | "running-recorded"
  // A stop.
  | "all-stopped"
  | "stopped-recorded"
  // A delete.
  | "unsaved-work-asked"
  | "all-removed"
  | "row-forgotten";

/** Is told of each phase, as it is reached; must return at once. */
export interface OnPhase {
  (phase: Phase): void;
}
