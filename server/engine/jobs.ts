import type { Readable } from "node:stream";
import type { PlannedService } from "../protocol/service.ts";
import type { Owner, StepOptions, WorkspaceSpec } from "./steps.ts";

/** A one-shot container, without network unless it says so, removed when it ends. */
export interface Job {
  readonly owner: Owner;
  readonly name: string;
  /** The helper image of Oneloop, with git, or an image of the plan. */
  readonly image: "helper" | { readonly ref: string };
  /** Argument vector. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Capabilities beyond none, such as `CHOWN`. */
  readonly capabilities?: readonly string[];
  readonly mounts: readonly JobMount[];
  /** Standard output and error are kept up to this many bytes each; the rest is cut. */
  readonly maxOutputBytes?: number;
  readonly timeoutMs: number;
  /** Given on standard input, which is then closed. */
  readonly input?: string;
}

export type JobMount =
  | {
      readonly kind: "volume";
      readonly owner: Owner;
      /** The plan's name of the volume; made if it is missing. */
      readonly volume: string;
      readonly path: string;
      readonly readOnly: boolean;
    }
  /** A folder of the host that the operator allowed, or a program of it; always read-only. */
  | { readonly kind: "host"; readonly hostPath: string; readonly path: string };

export interface JobResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What runs once, for an owner, and is no part of what is observed of it. */
export interface JobEngine {
  runJob(job: Job, options: StepOptions): Promise<JobResult>;

  /**
   * Starts a job's container ahead: it waits for its input. The next `runJob` of the same job (all
   * but the input equal) uses it. `remove` of the owner removes it.
   */
  prepareJob(job: Omit<Job, "input">, options: StepOptions): Promise<void>;

  /**
   * Runs a container of the plan to its end, and removes it: in the network of the dev service, whose
   * sandbox has to run, with its own volumes, limits and user, whose image is there. It is no member:
   * nothing observes it. The end of what it printed is given.
   */
  runToEnd(
    spec: WorkspaceSpec,
    which: { readonly name: string; readonly service: PlannedService },
    options: StepOptions,
  ): Promise<{ readonly exitCode: number; readonly output: string }>;

  /**
   * A tar archive of a folder of one of the owner's volumes, as it is now, with paths below that
   * folder. Links in it are given as links; one that the path itself goes through is followed within
   * the volume only.
   */
  readFolder(
    which: { readonly owner: Owner; readonly volume: string; readonly path: string },
    options: StepOptions,
  ): Promise<Readable>;
}
