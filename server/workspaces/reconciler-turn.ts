import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { StepOptions, WorkspaceSpec } from "../engine/steps.ts";
import type { OnPhase } from "./phases.ts";
import {
  eachMs,
  stepDeadlines,
  withDeadline,
  type Step,
  type StepDeadlines,
} from "./reconciler-deadlines.ts";

/** Runs a step: every one has a deadline, a cancel, and says how far it came. */
export interface RunStep {
  <Result>(
    step: Step,
    signal: AbortSignal,
    work: (options: StepOptions) => Promise<Result>,
  ): Promise<Result>;
}

/** What one turn of the reconciler has to hand for the workspace that it is about. */
export interface Turn {
  readonly row: WorkspaceRow;
  readonly spec: WorkspaceSpec;
  /** Fires when the wish has changed, and when the control plane ends. */
  readonly interrupted: AbortSignal;
  readonly step: RunStep;
  /** Writes what was reached; throws when somebody wished otherwise meanwhile, which ends the turn. */
  readonly record: (change: Parameters<WorkspaceStore["record"]>[2]) => Promise<void>;
}

/** @param options.services how many the workspace has: some steps take the longer the more there are. */
export function stepRunner({
  deadlines = stepDeadlines,
  onPhase,
  services = 0,
}: {
  readonly deadlines?: StepDeadlines | undefined;
  readonly onPhase?: OnPhase | undefined;
  readonly services?: number;
}): RunStep {
  return (step, signal, work) =>
    withDeadline({ step, ms: deadlines[step] + services * eachMs[step], signal }, (limited) =>
      work({ signal: limited, onPhase }),
    );
}
