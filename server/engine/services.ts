import type { Readable } from "node:stream";
import type { ObservedMember } from "./observed.ts";
import type { Owner, ServiceOf, StepOptions, SupervisorAddress, WorkspaceSpec } from "./steps.ts";

/** What a supervisor that enters a service is told. */
export interface EnterSetup {
  readonly publicKey: string;
  /** It ends by itself when nobody has used it for so long. */
  readonly idleMs: number;
}

export interface LogOptions {
  readonly signal: AbortSignal;
  /** Go on with what is printed, until the service ends. */
  readonly follow: boolean;
  /** Only the last so many lines; null: all that are kept. */
  readonly tail: number | null;
  /** An entry's `at`: only what was printed after it. */
  readonly after: string | null;
}

/** What a service printed at once; long lines come in several pieces, the last with the newline. */
export interface LogEntry {
  /** The engine's time, RFC 3339 with nanoseconds: also its place in the log. */
  readonly at: string;
  readonly stream: "stdout" | "stderr";
  readonly data: Buffer;
}

/** A file that is put into a service's container before its program starts. */
export interface ServiceFile {
  /** Absolute, in the container. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** A file's content, or a folder as a tar archive with paths below `path`. */
  readonly content:
    | { readonly kind: "bytes"; readonly bytes: Buffer }
    | { readonly kind: "folder"; readonly archive: Readable };
}

/** Which mirrored service is started, and from which files. */
export interface ServiceStart {
  readonly service: string;
  /** What its files are known by: another key says that they are others. */
  readonly filesKey: string;
  /**
   * The files of the plan's service. Called at most once, and only where the container has to be
   * made or was left half made.
   */
  readonly readFiles: () => Promise<readonly ServiceFile[]>;
  /** Start it again also where it runs or has ended: a restart. */
  readonly again?: boolean;
  /**
   * Folders of the image that `changeFiles` will write to. Where the root is read-only each becomes a
   * volume with the image's content, which the service itself cannot write either.
   */
  readonly changing?: readonly string[];
}

/** A file or link of a service's container that takes another's place, or is new. */
export interface ChangedFile {
  /** Absolute, in the container. */
  readonly path: string;
  /** A folder around it: those between are made where they are missing, and nothing leads out of it. */
  readonly root: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  readonly content:
    | { readonly kind: "bytes"; readonly bytes: Buffer }
    | { readonly kind: "link"; readonly to: string };
}

export interface FileChanges {
  readonly files: readonly ChangedFile[];
  /** Absolute, in the container; a folder with all that is in it. */
  readonly removed: readonly string[];
}

/** Single services of a workspace that runs: those of production, and what is asked of any. */
export interface ServiceEngine {
  /**
   * Starts one mirrored service of a workspace whose sandbox runs (`ensureSandbox`), in a sandbox of
   * its own or in the one of the service that it is a part of: its container is made with its files where it is missing or was
   * made from other settings, image or files, and started where it does not run. One that runs from
   * the same is left alone. The plan is filled (`fillValues`), with the engine's names of built
   * images.
   *
   * @returns `started`: it was not running before, or runs again.
   * @throws OneloopError `image-unavailable` for an image that is not there or is of another platform,
   * `container-exited` for a command that cannot be started, `bad-input` for a file that cannot be
   * where it is wanted, `plan-impossible` for a service that the plan does not mirror.
   */
  ensureService(
    spec: WorkspaceSpec,
    which: ServiceStart,
    options: StepOptions,
  ): Promise<{ readonly started: boolean }>;

  /**
   * Changes files in a mirrored service's container, which may run. Where its root is read-only, only
   * in the folders that its start named as `changing`.
   *
   * @throws OneloopError `workspace-not-running` where there is no container, or where something is to
   * be removed from one that does not run; `bad-input` for a place where nothing can be changed.
   */
  changeFiles(which: ServiceOf, changes: FileChanges, options: StepOptions): Promise<void>;

  /**
   * Puts files where `changeFiles` would, and starts the service's program again in the container that
   * it has, for somebody who waits for what they saved: TERM, and KILL after `graceMs` or as soon as
   * it is clear that TERM does nothing. Nothing else is made sure of.
   *
   * @returns `started` false where all is done but the start: `ensureService` then makes sure of its
   * sandbox, or says what is wrong. `killed`: TERM did not end it.
   * @throws OneloopError as `changeFiles`
   */
  renewService(
    which: ServiceOf,
    files: readonly ChangedFile[],
    options: StepOptions & { graceMs: number },
  ): Promise<{ readonly started: boolean; readonly killed: boolean }>;

  /** Ends one service's container, TERM then KILL after `graceMs`; it is kept. */
  stopService(which: ServiceOf, options: StepOptions & { graceMs: number }): Promise<void>;

  /**
   * Runs a command in a running service's container as its user, and resolves with its exit status
   * (126 or 127 for one that cannot be started); its output is dropped. At the signal the command is
   * ended.
   *
   * @throws OneloopError `workspace-not-running`, `cancelled`
   */
  execInService(
    which: ServiceOf & { readonly command: readonly string[] },
    options: StepOptions,
  ): Promise<number>;

  /**
   * Starts a supervisor in the running container of a service that is not the dev service, as the
   * service's user and within its limits; one that runs there already is the answer. It ends with the
   * container. Only the host reaches its port.
   *
   * @throws OneloopError `workspace-not-running` when there is no such service, or it does not run.
   */
  enterService(
    { owner, service }: { readonly owner: Owner; readonly service: string },
    setup: EnterSetup,
    options: StepOptions,
  ): Promise<{ readonly address: SupervisorAddress; readonly boot: string }>;

  /**
   * What a service's own command printed, from the engine's log of it, which is bounded on the disk:
   * the oldest is not kept. Who reads slowly holds only his own stream back, and misses what the log
   * drops meanwhile. Ends at the end of what is kept, or, with `follow`, when the service ends.
   *
   * @throws OneloopError `workspace-not-running` when there is no such container.
   */
  logs(
    { owner, service }: { readonly owner: Owner; readonly service: string },
    options: LogOptions,
  ): AsyncIterable<readonly LogEntry[]>;

  /** One member, as `observe` gives it; `null` where there is none. */
  observeService(which: ServiceOf): Promise<ObservedMember | null>;
}
