import type { Readable } from "node:stream";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";

/**
 * Whose objects these are: a workspace's, or a part of Oneloop's own, such as the repository cache.
 * Objects are labelled `oneloop.workspace=<id>` or `oneloop.part=<id>`, and always
 * `oneloop.installation=<id>`.
 */
export type Owner =
  | { readonly kind: "workspace"; readonly id: string }
  | { readonly kind: "part"; readonly id: "cache" };

/** What an image says of itself; `user` is resolved in the image's own /etc/passwd. */
export interface ImageFacts {
  /** Content id, such as `sha256:…`. */
  readonly id: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly name: string | null };
  /** Absolute; `/home/oneloop` where the image's user has `/`, none, or no passwd entry. */
  readonly home: string;
  /** The user's login shell of /etc/passwd; `null` where there is no entry. */
  readonly shell: string | null;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
}

/** A TCP address at which the control plane reaches a supervisor. */
export interface SupervisorAddress {
  readonly host: string;
  readonly port: number;
}

export interface ObservedMember {
  /** The service's name in the plan. */
  readonly service: string;
  readonly state: "created" | "running" | "exited";
  /** A supervisor that `enterService` started in it runs. */
  readonly entered: boolean;
  readonly exitCode: number | null;
  /** Of a mirrored service: its sandbox does not run, or is cut off from the workspace's network. */
  readonly isCutOff?: boolean;
  /** The kernel ended a process of it for memory. */
  readonly outOfMemory: boolean;
  /** As started: what `planFromEngine` reads back. */
  readonly runs: MemberSpec;
}

/**
 * The engine-independent content of a member, as made from the plan (`memberSpecs`) and as read
 * back. `command` is the whole argument vector with the image's own part, and `args` then `null`;
 * `env` is the whole environment; mounts are sorted by path, without source and home.
 */
export interface MemberSpec {
  readonly image: string;
  readonly command: readonly string[] | null;
  readonly args: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
  readonly memoryLimitBytes: number | null;
  readonly cpuLimitCores: number | null;
  readonly readOnlyRoot: boolean;
  readonly mounts: readonly { readonly volume: string; readonly path: string }[];
  readonly sourcePath: string | null;
}

/** What an engine holds of one owner, now. */
export interface Observed {
  /** `cut-off`: it runs, and somebody took its network away. */
  readonly sandbox: "missing" | "created" | "running" | "cut-off" | "exited";
  readonly members: readonly ObservedMember[];
  /** Volumes by plan name; `source` and `home` are Oneloop's own. */
  readonly volumes: readonly string[];
  /** Other objects with the owner's label, such as a job's container that a killed run left. */
  readonly leftovers: readonly string[];
}

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

/** Something changed outside our own doing: the reconciler looks again. */
export interface EngineEvent {
  readonly owner: Owner;
  readonly service: string | null;
  readonly kind: "died" | "out-of-memory" | "removed" | "cut-off";
  readonly exitCode: number | null;
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

/** What a registry is told of who asks. Never in an argument, an event or a log. */
export interface RegistryCredential {
  readonly username: string;
  readonly password: string;
}

/** On whose behalf images are used: their registries are asked as this person. */
export interface ImageReader {
  /** The same id is the same person: what a registry allowed them holds for a few minutes. */
  readonly id: string;
  /**
   * What they have stored for a registry; null: nothing.
   *
   * @param registry as a reference has it, with its port: `docker.io`, `localhost:5000`.
   */
  credentialFor(registry: string): Promise<RegistryCredential | null>;
}

/** Whether images that came from registries may be read by everybody, as it was found out once. */
export interface KnownImages {
  /**
   * Null where nobody has found out.
   *
   * @param image as `registry/repository@digest`.
   */
  isPublic(image: string): Promise<boolean | null>;
  remember(image: string, isPublic: boolean): Promise<void>;
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

/** What the supervisor of the dev service is told beyond what the plan and the image say. */
export interface SupervisorSetup {
  readonly publicKey: string;
  /** Wins over the plan's. */
  readonly env: Readonly<Record<string, string>>;
  /** Wins over the image's only. */
  readonly defaults?: Readonly<Record<string, string>>;
}

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

export interface ImageOptions extends StepOptions {
  readonly user?: string | null;
  readonly reader?: ImageReader | undefined;
}

/** A service of a plan. */
export interface ServiceOf {
  readonly owner: Owner;
  /** Its name in the plan. */
  readonly service: string;
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

/** An image of a repository, to be built. */
export interface ImageBuildRequest {
  readonly owner: Owner;
  /** A tar archive of the context's folder. */
  readonly archive: Readable;
  /** The Dockerfile's path in the archive. */
  readonly dockerfile: string;
  readonly args: Readonly<Record<string, string>>;
  /** The stage that is wanted; null: the last. */
  readonly target: string | null;
  /** Who may read the images that it stands on. */
  readonly reader?: ImageReader | undefined;
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
export interface Engine extends AsyncDisposable {
  readonly kind: string;

  /**
   * The image's facts, pulling it where it is absent; progress lines while pulling. With `user` (a
   * plan's: uid, uid:gid or a name) user, home and shell are that user's and not the image's own.
   * One that is there because somebody could pull it is given only to a `reader` whom its registry
   * lets read it, too; what everybody may read, and what no registry has, is there for all.
   *
   * @throws OneloopError `image-not-found`, `image-denied`, `image-unavailable`
   */
  ensureImage(ref: string, options: ImageOptions): Promise<ImageFacts>;

  /**
   * Builds an image confined as the owner's workspace is, whose sandbox has to run; what is unchanged
   * is not built again. `ref` is what a plan calls it.
   */
  buildImage(
    request: ImageBuildRequest,
    options: StepOptions,
  ): Promise<{ readonly ref: string; readonly built: boolean }>;

  /**
   * A tar archive of a folder of one of the owner's volumes, as it is now, with paths below that
   * folder. Links in it are given as links; one that the path itself goes through is followed within
   * the volume only.
   */
  readFolder(
    which: { readonly owner: Owner; readonly volume: string; readonly path: string },
    options: StepOptions,
  ): Promise<Readable>;

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

  /** Where the dev service's supervisor is reached; `null` when it does not run. */
  supervisorAddress(owner: Owner): Promise<SupervisorAddress | null>;

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

  /**
   * Ends members and sandbox, TERM then KILL after `graceMs`, or after the longer time that a mirrored
   * service's production gives it, a minute at most. Volumes and containers are kept.
   */
  stop(owner: Owner, options: StepOptions & { graceMs: number }): Promise<void>;

  /** Removes everything with the owner's label; the volumes too only when `storage` is true. */
  remove(owner: Owner, options: StepOptions & { storage: boolean }): Promise<void>;

  observe(owner: Owner): Promise<Observed>;

  /** One member, as `observe` gives it; `null` where there is none. */
  observeService(which: ServiceOf): Promise<ObservedMember | null>;

  /** Owners of which this installation's engine holds at least one object. */
  owners(): Promise<Owner[]>;

  runJob(job: Job, options: StepOptions): Promise<JobResult>;

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
   * Starts a job's container ahead: it waits for its input. The next `runJob` of the same job (all
   * but the input equal) uses it. `remove` of the owner removes it.
   */
  prepareJob(job: Omit<Job, "input">, options: StepOptions): Promise<void>;

  /**
   * From the first `next()` on; ends when the signal is aborted. Reconnects by itself, and then
   * yields of the gap only what the engine still knows: `onGap` says that there was one. What the
   * caller's own steps end is told too.
   */
  watch(signal: AbortSignal, onGap?: () => void): AsyncIterable<EngineEvent>;
}
