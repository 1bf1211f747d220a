import { z } from "zod";
import { Fact, known, Place } from "./fact.ts";

/** What a source says of an environment value; a secret's data never leaves its reader. */
export const EnvValue = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("literal"), value: z.string() }),
  z.object({ kind: z.literal("secretRef"), secret: z.string(), key: z.string() }),
  z.object({ kind: z.literal("fromUser"), name: z.string() }),
  /** Text with secrets in it, such as the URL of a database. */
  z.object({
    kind: z.literal("composed"),
    parts: z.array(
      z.union([z.object({ text: z.string() }), z.object({ secret: z.string(), key: z.string() })]),
    ),
  }),
  z.object({ kind: z.literal("unknown"), why: z.string() }),
]);
export type EnvValue = z.infer<typeof EnvValue>;

export const Endpoint = z.object({
  name: z.string(),
  targetPort: z.number().int().min(1).max(65535),
  exposure: z.enum(["public", "internal", "none"]),
  protocol: z.enum(["http", "https", "ws", "wss", "tcp", "udp"]),
  secure: z.boolean(),
  path: z.string().nullable(),
});
export type Endpoint = z.infer<typeof Endpoint>;

export const VolumeMount = z.object({
  volume: z.string(),
  path: z.string(),
  /** Absent: it may be written. */
  readOnly: z.boolean().optional(),
  /** Only this folder of the volume, relative to its root. */
  subPath: z.string().optional(),
});
export type VolumeMount = z.infer<typeof VolumeMount>;

/** How something finds out whether a service is ready, or still alive. Times in seconds. */
export const Probe = z.object({
  check: z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("http"),
      scheme: z.enum(["http", "https"]),
      port: z.number().int().min(1).max(65535),
      path: z.string(),
      headers: z.record(z.string(), z.string()),
    }),
    z.object({ kind: z.literal("tcp"), port: z.number().int().min(1).max(65535) }),
    /** An argument vector, run inside the service's container; exit status 0 is yes. */
    z.object({ kind: z.literal("exec"), command: z.array(z.string()).min(1) }),
    z.object({
      kind: z.literal("grpc"),
      port: z.number().int().min(1).max(65535),
      service: z.string(),
    }),
  ]),
  initialDelayS: z.number().nonnegative(),
  periodS: z.number().positive(),
  timeoutS: z.number().positive(),
  /** So many in a row count as a no. */
  failures: z.number().int().positive(),
  /** So many in a row count as a yes. */
  successes: z.number().int().positive(),
});
export type Probe = z.infer<typeof Probe>;

/** How an image is built from the repository. Paths are below the repository's root, `.` for itself. */
export const ImageBuild = z.object({
  context: z.string(),
  dockerfile: z.string(),
  /** `null`: the value is asked from who builds, and was not given. */
  args: z.record(z.string(), z.string().nullable()),
  target: z.string().nullable(),
});
export type ImageBuild = z.infer<typeof ImageBuild>;

/**
 * A name under which others reach a service, such as a Kubernetes Service or a network alias.
 * Without `ports` the name leads to the service's own ports; with them only to those.
 */
export const NetworkName = z.object({
  name: z.string(),
  ports: z.array(
    z.object({
      port: z.number().int().min(1).max(65535),
      targetPort: z.number().int().min(1).max(65535),
      protocol: z.enum(["tcp", "udp"]),
    }),
  ),
});
export type NetworkName = z.infer<typeof NetworkName>;

/** Another service that has to be so far before this one starts. */
export const Dependency = z.object({
  service: z.string(),
  condition: z.enum(["started", "healthy", "completed"]),
  /** Without it, this one starts nevertheless. */
  required: z.boolean(),
});
export type Dependency = z.infer<typeof Dependency>;

/** A file that the source wants in the container, beside what its image has. */
export const ConfigFile = z.object({
  /** Absolute, in the container. */
  path: z.string(),
  /** Permission bits, such as 0o644; null: as usual there. */
  mode: z.number().int().nullable(),
  content: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("literal"), text: z.string() }),
    /** A file or folder of the repository, below its root. */
    z.object({ kind: z.literal("repository"), path: z.string() }),
    z.object({ kind: z.literal("secretRef"), secret: z.string(), key: z.string() }),
    z.object({ kind: z.literal("unknown"), why: z.string() }),
  ]),
});
export type ConfigFile = z.infer<typeof ConfigFile>;

/**
 * What a saved file does to a service that is built from the repository. The first rule that fits a
 * file holds.
 */
export const SyncRule = z.object({
  /** A file or folder of the repository, below its root; `.` for itself. */
  path: z.string(),
  action: z.enum(["sync", "sync+restart", "restart", "rebuild"]),
  /** Absolute, in the container: where the file, or the folder's content, goes; null: nowhere. */
  target: z.string().nullable(),
  /** Patterns of .dockerignore, from `path` on: files that the rule does not fit. */
  ignore: z.array(z.string()),
  /** The same: only files that it fits; empty: all. */
  include: z.array(z.string()),
});
export type SyncRule = z.infer<typeof SyncRule>;

/** A right over the machine that a workspace's container never gets. */
export const HostAccess = z.object({
  what: z.enum([
    "privileged",
    "host-network",
    "host-pid",
    "host-ipc",
    "host-path",
    "docker-socket",
    "device",
    "security-option",
  ]),
  /** As the source has it, such as the path. */
  detail: z.string(),
});
export type HostAccess = z.infer<typeof HostAccess>;

/**
 * What a service is to others: `service` runs on; `job` and `release` run once, `release` before all
 * others; `cron` by a schedule; `init` before, and `sidecar` beside, the service that `partOf` names,
 * in its network.
 */
export const ServiceRole = z.enum(["service", "job", "release", "cron", "init", "sidecar"]);
export type ServiceRole = z.infer<typeof ServiceRole>;

/**
 * The fields of a service, named once for both models. `null` says "as the image has it" (command,
 * args, user), "no limit" (limits) or "not mounted" (sourcePath).
 */
const plainFields = {
  image: z.string(),
  /**
   * The entry point as an argument vector. In it and in `args`, `$(NAME)` of a variable in `env` that
   * is no literal stands for its value.
   */
  command: z.array(z.string()).nullable(),
  args: z.array(z.string()).nullable(),
  memoryLimitBytes: z.number().int().positive().nullable(),
  memoryRequestBytes: z.number().int().positive().nullable(),
  /** In cores: 0.5 is `500m`. */
  cpuLimitCores: z.number().positive().nullable(),
  cpuRequestCores: z.number().positive().nullable(),
  /** `uid`, `uid:gid` or a name that the image knows. */
  user: z.string().nullable(),
  readOnlyRoot: z.boolean(),
  /** Where the source volume is mounted. */
  sourcePath: z.string().nullable(),
  /** Alone in its network namespace, instead of with the devfile's other components. */
  dedicatedPod: z.boolean(),
};

/** The lists of a service: each entry has a place of its own in a source. */
const listFields = {
  endpoints: Endpoint,
  mounts: VolumeMount,
};

/** A part of a value that is put together where the workspace starts. */
export const ValuePart = z.union([
  z.object({ text: z.string() }),
  /** A secret of production: here the user's own value of it, or one made for this workspace. */
  z.object({ secret: z.string(), key: z.string() }),
  /** A variable of the user. */
  z.object({ variable: z.string() }),
]);
export type ValuePart = z.infer<typeof ValuePart>;

/** A file that is copied into the container before its program starts. */
export const PlannedFile = z.object({
  /** Absolute, in the container. */
  path: z.string(),
  /** Permission bits; null: 0644. */
  mode: z.number().int().nullable(),
  content: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("text"), parts: z.array(ValuePart) }),
    /** A file or folder of the repository at the opened commit, below its root. */
    z.object({ kind: z.literal("repository"), path: z.string() }),
  ]),
});
export type PlannedFile = z.infer<typeof PlannedFile>;

/** What a service of production has beyond a devfile's component. */
export const MirroredService = z.object({
  role: ServiceRole,
  partOf: z.string().nullable(),
  /** Where it is built instead of pulled; `image` is then what the built one is called. */
  build: ImageBuild.nullable(),
  platform: z.string().nullable(),
  workingDir: z.string().nullable(),
  /** Only such as a workspace may have. */
  capabilitiesAdded: z.array(z.string()),
  capabilitiesDropped: z.array(z.string()),
  readiness: Probe.nullable(),
  liveness: Probe.nullable(),
  startup: Probe.nullable(),
  restart: z.enum(["no", "on-failure", "always"]),
  stopGraceSeconds: z.number().nonnegative().nullable(),
  /** Beyond its own name. */
  names: z.array(NetworkName),
  /** Only services of the same plan. */
  dependsOn: z.array(Dependency),
  files: z.array(PlannedFile),
  tmpfs: z.array(z.object({ path: z.string(), sizeBytes: z.number().int().positive().nullable() })),
  /**
   * Environment variables beside `env`; `$(NAME)` of one in the service's command and arguments
   * stands for its value.
   */
  composedEnv: z.record(z.string(), z.array(ValuePart)),
  /** What it calls itself; absent: production makes it up, or the plan is an older one. */
  hostname: z.string().optional(),
  /** Beyond what its Dockerfile says; absent: nothing, as in an older plan. */
  sync: z.array(SyncRule.extend({ where: Place })).optional(),
});
export type MirroredService = z.infer<typeof MirroredService>;

/** What holds where production says nothing of it. */
export const unsaidMirror: MirroredService = {
  role: "service",
  partOf: null,
  build: null,
  platform: null,
  workingDir: null,
  capabilitiesAdded: [],
  capabilitiesDropped: [],
  readiness: null,
  liveness: null,
  startup: null,
  restart: "no",
  stopGraceSeconds: null,
  names: [],
  dependsOn: [],
  files: [],
  tmpfs: [],
  composedEnv: {},
};

/** A service in a WorkspacePlan: plain values. */
export const PlannedService = z.object({
  name: z.string(),
  ...plainFields,
  env: z.record(z.string(), z.string()),
  endpoints: z.array(listFields.endpoints),
  mounts: z.array(listFields.mounts),
  /**
   * Of a service of production, and of the dev service where it stands in for one; absent for a
   * devfile's own.
   */
  mirror: MirroredService.optional(),
});
export type PlannedService = z.infer<typeof PlannedService>;

/** What an image says itself: what holds where a service says nothing. */
export const ImageDefaults = z.object({
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  /** Null: root. */
  user: z.string().nullable(),
  /** The names of its variables. */
  env: z.array(z.string()),
});
export type ImageDefaults = z.infer<typeof ImageDefaults>;

/** A service in a SourceModel: each field a Fact. */
export const SourceService = z.object({
  name: Fact(z.string()),
  image: Fact(plainFields.image),
  command: Fact(plainFields.command),
  args: Fact(plainFields.args),
  memoryLimitBytes: Fact(plainFields.memoryLimitBytes),
  memoryRequestBytes: Fact(plainFields.memoryRequestBytes),
  cpuLimitCores: Fact(plainFields.cpuLimitCores),
  cpuRequestCores: Fact(plainFields.cpuRequestCores),
  user: Fact(plainFields.user),
  readOnlyRoot: Fact(plainFields.readOnlyRoot),
  sourcePath: Fact(plainFields.sourcePath),
  dedicatedPod: Fact(plainFields.dedicatedPod),
  env: z.record(z.string(), Fact(EnvValue)),
  endpoints: z.array(Fact(listFields.endpoints)),
  mounts: z.array(Fact(listFields.mounts)),

  /** Null: the image is only pulled. Where it is known, `image` may be unknown. */
  build: Fact(ImageBuild.nullable()),
  role: Fact(ServiceRole),
  /** For `init` and `sidecar`: the name of the service that they belong to. */
  partOf: Fact(z.string().nullable()),
  /** What manages it there, such as `Deployment` or `compose service`. */
  workload: Fact(z.string().nullable()),
  /** `linux/amd64`, `linux/arm64/v8`; null: any. */
  platform: Fact(z.string().nullable()),
  workingDir: Fact(z.string().nullable()),
  replicas: Fact(z.number().int().nonnegative()),
  restart: Fact(z.enum(["no", "on-failure", "always"])),
  /** Without the prefix CAP_, upper case; `ALL` is all of them. */
  capabilitiesAdded: Fact(z.array(z.string())),
  capabilitiesDropped: Fact(z.array(z.string())),
  readiness: Fact(Probe.nullable()),
  liveness: Fact(Probe.nullable()),
  startup: Fact(Probe.nullable()),
  stopGraceSeconds: Fact(z.number().nonnegative().nullable()),
  /** What it calls itself; absent: something that is made up when it starts. */
  hostname: Fact(z.string()).optional(),
  /** All names that lead to it, its own among them. */
  names: z.array(Fact(NetworkName)),
  dependsOn: z.array(Fact(Dependency)),
  files: z.array(Fact(ConfigFile)),
  /** In memory, and empty at each start; `sizeBytes` null: no limit. */
  tmpfs: z.array(
    Fact(z.object({ path: z.string(), sizeBytes: z.number().int().positive().nullable() })),
  ),
  hostAccess: z.array(Fact(HostAccess)),
  /** Absent: the source has none. */
  sync: z.array(Fact(SyncRule)).optional(),
  /** Further environment variables that come from something that was not read: what, and where. */
  envElsewhere: z.array(Fact(z.string())),
  /** Absent: not known, as of every source that only names its images. */
  imageDefaults: ImageDefaults.optional(),
  /** All variables of `env` are set, and no value was read. */
  envNamesOnly: z.boolean().optional(),
});
export type SourceService = z.infer<typeof SourceService>;

/** What holds for a service of which the source says nothing but that it is there. */
export function unsaidService(where: Place): Omit<SourceService, "name" | "image"> {
  const none = known(null, where);
  return {
    command: none,
    args: none,
    memoryLimitBytes: none,
    memoryRequestBytes: none,
    cpuLimitCores: none,
    cpuRequestCores: none,
    user: none,
    readOnlyRoot: known(false, where),
    sourcePath: none,
    dedicatedPod: known(false, where),
    env: {},
    endpoints: [],
    mounts: [],
    build: none,
    role: known("service", where),
    partOf: none,
    workload: none,
    platform: none,
    workingDir: none,
    replicas: known(1, where),
    restart: known("no", where),
    capabilitiesAdded: known([], where),
    capabilitiesDropped: known([], where),
    readiness: none,
    liveness: none,
    startup: none,
    stopGraceSeconds: none,
    names: [],
    dependsOn: [],
    files: [],
    tmpfs: [],
    hostAccess: [],
    envElsewhere: [],
  };
}
