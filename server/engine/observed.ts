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
