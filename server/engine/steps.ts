import type { WorkspacePlan } from "../protocol/plan.ts";
import type { ImageReader } from "./images.ts";

/**
 * Whose objects these are: a workspace's, or a part of Oneloop's own, such as the repository cache.
 * Objects are labelled `oneloop.workspace=<id>` or `oneloop.part=<id>`, and always
 * `oneloop.installation=<id>`.
 */
export type Owner =
  | { readonly kind: "workspace"; readonly id: string }
  | { readonly kind: "part"; readonly id: "cache" };

/** A service of a plan. */
export interface ServiceOf {
  readonly owner: Owner;
  /** Its name in the plan. */
  readonly service: string;
}

/** A TCP address at which the control plane reaches a supervisor. */
export interface SupervisorAddress {
  readonly host: string;
  readonly port: number;
}

export interface Progress {
  (line: string): void;
}

/** Points within a step, named by what has just been done, at which a kill leaves half of it. */
export type EnginePhase =
  | "network-made"
  | "sandbox-made"
  | "members-made"
  | "dev-started"
  | "members-stopped"
  | "containers-removed";

export interface StepOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: Progress;
  readonly onPhase?: ((phase: EnginePhase) => void) | undefined;
}

/** What every step on a workspace needs. */
export interface WorkspaceSpec {
  readonly owner: Owner;
  /** For the host name inside, and what a person sees in the engine's own tools. */
  readonly name: string;
  readonly plan: WorkspacePlan;
  /** Who may read its images; without one nobody is asked: Oneloop's own. */
  readonly reader?: ImageReader | undefined;
}
