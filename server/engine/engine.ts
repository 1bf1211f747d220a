import type { WorkspacePlan } from "../protocol/plan.ts";
import type { ImageEngine } from "./images.ts";
import type { JobEngine } from "./jobs.ts";
import type { Observed } from "./observed.ts";
import type { ServiceEngine } from "./services.ts";
import type { Owner, StepOptions, SupervisorAddress, WorkspaceSpec } from "./steps.ts";

/** Something changed outside our own doing: the reconciler looks again. */
export interface EngineEvent {
  readonly owner: Owner;
  readonly service: string | null;
  readonly kind: "died" | "out-of-memory" | "removed" | "cut-off";
  readonly exitCode: number | null;
}

/** What the supervisor of the dev service is told beyond what the plan and the image say. */
export interface SupervisorSetup {
  readonly publicKey: string;
  /** Wins over the plan's. */
  readonly env: Readonly<Record<string, string>>;
  /** Wins over the image's only. */
  readonly defaults?: Readonly<Record<string, string>>;
}

/** What is made of a workspace before anybody asks for it. */
export interface Preparation {
  /** The sandboxes of this plan, of many only the first; null: those that every plan needs. */
  readonly like: WorkspacePlan | null;
  /** Beside those, so many sandboxes that any service of production can have. */
  readonly spares: number;
  /** For a plan of several services: the workspace's own gets names when it is taken. */
  readonly several?: true;
}

/**
 * Where workspaces run. Each `ensure…` is one idempotent step of the reconciler: it compares with
 * what is there, makes what is missing, and may be called again after a kill at any point. All
 * reject with OneloopError (`engine-unreachable`, `engine-failed`, `image-unavailable`,
 * `image-not-found`, `image-denied`, `isolation-unavailable`, `cancelled`). No type of an implementation leaves its folder.
 */
export interface Engine extends ImageEngine, JobEngine, ServiceEngine, AsyncDisposable {
  readonly kind: string;

  /** The volumes of the plan, with source and home; existing ones are kept as they are. */
  ensureStorage(spec: WorkspaceSpec, options: StepOptions): Promise<void>;

  /**
   * The workspace's network and its sandbox, with the rules in force: what the services that are not
   * mirrored run in. Resolves only when the rules hold; rejects with `isolation-unavailable` where
   * they cannot be set (nothing joins then).
   *
   * @param options.service instead the sandbox of this mirrored service: its names resolve from then
   * on. `ensureService` makes sure of it, too.
   */
  ensureSandbox(
    spec: WorkspaceSpec,
    options: StepOptions & { readonly service?: string },
  ): Promise<void>;

  /**
   * Makes the network and the sandboxes of a workspace that nobody has asked for yet. A later
   * `ensureSandbox` of this owner takes those that fit, as `countPrepared` says, and makes what is
   * missing.
   */
  prepareSandboxes(
    owner: Owner,
    options: StepOptions & { readonly preparation: Preparation },
  ): Promise<void>;

  /** How many of this plan's sandboxes are ready where that was prepared: 0 is none. Pure. */
  countPrepared(plan: WorkspacePlan, preparation: Preparation): number;

  /**
   * The plan's services that are not mirrored, the dev service among them and first. Resolves when
   * all are started and the dev service's supervisor listens. What there is of mirrored services is
   * left alone.
   */
  ensureMembers(
    spec: WorkspaceSpec,
    setup: SupervisorSetup,
    options: StepOptions,
  ): Promise<{ readonly address: SupervisorAddress; readonly boot: string }>;

  /** Where the dev service's supervisor is reached; `null` when it does not run. */
  supervisorAddress(owner: Owner): Promise<SupervisorAddress | null>;

  /**
   * Ends members and sandbox, TERM then KILL after `graceMs`, or after the longer time that a mirrored
   * service's production gives it, a minute at most. Volumes and containers are kept.
   */
  stop(owner: Owner, options: StepOptions & { graceMs: number }): Promise<void>;

  /** Removes everything with the owner's label; the volumes too only when `storage` is true. */
  remove(owner: Owner, options: StepOptions & { storage: boolean }): Promise<void>;

  observe(owner: Owner): Promise<Observed>;

  /** Owners of which this installation's engine holds at least one object. */
  owners(): Promise<Owner[]>;

  /**
   * From the first `next()` on; ends when the signal is aborted. Reconnects by itself, and then
   * yields of the gap only what the engine still knows: `onGap` says that there was one. What the
   * caller's own steps end is told too.
   */
  watch(signal: AbortSignal, onGap?: () => void): AsyncIterable<EngineEvent>;
}
