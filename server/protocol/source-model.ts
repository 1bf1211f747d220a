import { z } from "zod";
import { Fact, Place } from "./fact.ts";
import { Endpoint, SourceService } from "./service.ts";

export const SourceVolume = z.object({
  name: Fact(z.string()),
  sizeBytes: Fact(z.number().int().positive().nullable()),
  /** Emptied at each start of the workspace. */
  ephemeral: Fact(z.boolean()),
});
export type SourceVolume = z.infer<typeof SourceVolume>;

/** A part of a file that was read and is not run: named, with its line, never dropped silently. */
export const LeftOut = z.object({ what: z.string(), why: z.string(), where: Place });
export type LeftOut = z.infer<typeof LeftOut>;

/** A line for a shell, and where it runs. */
const lineFields = {
  /** The service in whose container it runs. */
  service: Fact(z.string()),
  /** A line for a shell. */
  commandLine: Fact(z.string()),
  /** As the source has it: variables of the tool may stand in it. */
  workingDir: Fact(z.string().nullable()),
  env: z.array(z.object({ name: z.string(), value: Fact(z.string()) })),
};

/** A command that the source wants run (devfile: `exec` commands). */
export const SourceTask = z.object({
  name: z.string(),
  ...lineFields,
  /**
   * Before all others and not at each start: once in the workspace's life (what it makes lies in
   * source or home), or once in its container's (what it makes is gone with the container).
   */
  once: z.enum(["workspace", "container"]).optional(),
  /** When it runs by itself; null: only when somebody asks for it. */
  event: z.enum(["preStart", "postStart", "preStop", "postStop"]).nullable(),
  /** Tasks of the same event that must be done before it begins; all stand before it in the list. */
  needs: z.array(z.string()),
  where: Place,
});
export type SourceTask = z.infer<typeof SourceTask>;

/** What a command is for (devfile: `group`); of each kind one may be the default. */
export const CommandGroup = z.object({
  kind: z.enum(["build", "run", "test", "debug", "deploy"]),
  isDefault: z.boolean(),
});
export type CommandGroup = z.infer<typeof CommandGroup>;

/** A command that somebody may ask for: one line, or other commands in their order or at once. */
export const SourceCommand = z.object({
  name: z.string(),
  label: z.string().nullable(),
  group: CommandGroup.nullable(),
  runs: z.union([
    z.object(lineFields),
    /** By their names; none leads back to itself. */
    z.object({ commands: z.array(z.string()), parallel: z.boolean() }),
  ]),
  where: Place,
});
export type SourceCommand = z.infer<typeof SourceCommand>;

/** A repository that the source wants checked out beside the opened one (devfile: `projects`). */
export const SourceProject = z.object({
  name: z.string(),
  url: Fact(z.string()),
  /** What its checkout calls the remote of this URL; absent: `origin`. */
  remote: z.string().optional(),
  /** The checkout's further remotes; absent: none. */
  otherRemotes: z.array(z.object({ name: z.string(), url: Fact(z.string()) })).optional(),
  /** A branch, tag or commit; null: the remote's default branch. */
  revision: Fact(z.string().nullable()),
  /** Below the source root, without a leading slash. */
  clonePath: Fact(z.string()),
  where: Place,
});
export type SourceProject = z.infer<typeof SourceProject>;

/** Where a Dockerfile is: a path below or a URL from where the source stands, or in another repository. */
const DockerfilePlace = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("uri"), uri: z.string() }),
  z.object({
    kind: z.literal("git"),
    url: z.string(),
    revision: z.string().nullable(),
    /** In that repository. */
    path: z.string(),
  }),
  z.object({ kind: z.literal("registry"), id: z.string(), registryUrl: z.string().nullable() }),
]);

/** An image that is built from the source (devfile: `image` components). */
export const SourceImage = z.object({
  name: z.string(),
  /** What the built image is called; services that name it run it. */
  imageName: Fact(z.string()),
  dockerfile: Fact(DockerfilePlace),
  /** As the source has it; null: the folder of the file that says so. */
  buildContext: Fact(z.string().nullable()),
  /** Further arguments of the build, as a builder's command line has them. */
  args: Fact(z.array(z.string())),
  rootRequired: Fact(z.boolean()),
  /** Null: built at the start unless a command applies it. */
  autoBuild: Fact(z.boolean().nullable()),
  where: Place,
});
export type SourceImage = z.infer<typeof SourceImage>;

/** Kubernetes objects that the source wants there (devfile: `kubernetes` and `openshift` components). */
export const SourceManifest = z.object({
  name: z.string(),
  kind: z.enum(["kubernetes", "openshift"]),
  content: Fact(
    z.discriminatedUnion("kind", [
      /** A path below or a URL from where the source stands. */
      z.object({ kind: z.literal("uri"), uri: z.string() }),
      z.object({ kind: z.literal("inlined"), text: z.string() }),
    ]),
  ),
  /**
   * Its objects as YAML, in the lines of the file that they stand in; unknown where that was not
   * read.
   */
  objects: Fact(z.object({ file: z.string(), text: z.string() })).optional(),
  endpoints: z.array(Fact(Endpoint)),
  /** Null: there from the start unless a command applies it. */
  deployByDefault: Fact(z.boolean().nullable()),
  where: Place,
});
export type SourceManifest = z.infer<typeof SourceManifest>;

/** Something that an event applies (devfile: `apply` commands): a container that runs once, or more. */
export const SourceApply = z.object({
  name: z.string(),
  /** The name of a service, an image or a manifest. */
  of: Fact(z.string()),
  kind: z.enum(["service", "image", "manifest"]),
  event: z.enum(["preStart", "postStop"]),
  /** Others of the same event that must be done before; all stand before it in the list. */
  needs: z.array(z.string()),
  where: Place,
});
export type SourceApply = z.infer<typeof SourceApply>;

/** A way from outside to a service (an Ingress rule, a published port with a host name). */
export const SourceRoute = z.object({
  /** Null: any host. */
  host: z.string().nullable(),
  path: z.string(),
  service: z.string(),
  port: z.number().int().min(1).max(65535),
  tls: z.boolean(),
});
export type SourceRoute = z.infer<typeof SourceRoute>;

/**
 * Who may talk to whom (a NetworkPolicy): of the named services, connections in this direction are
 * refused but for those that one of `allows` takes. `peers` null: anybody, the internet too; `ports`
 * empty: all.
 */
export const SourcePolicy = z.object({
  name: z.string(),
  services: z.array(z.string()),
  direction: z.enum(["ingress", "egress"]),
  allows: z.array(
    z.object({
      peers: z.array(z.string()).nullable(),
      ports: z.array(z.object({ port: z.number().int(), protocol: z.enum(["tcp", "udp"]) })),
    }),
  ),
});
export type SourcePolicy = z.infer<typeof SourcePolicy>;

/** What says how production runs, as a devfile names it. */
export const SourceMirror = z.object({
  /** A file or folder of the repository. */
  source: Fact(z.string()),
  /** Services that are developed here instead; null: unsaid. */
  develop: Fact(z.array(z.string()).nullable()),
});
export type SourceMirror = z.infer<typeof SourceMirror>;

/** What a file or an engine says. Every format is a reader into this. */
export const SourceModel = z.object({
  /** The format that was read, such as `devfile`. */
  format: z.string(),
  name: Fact(z.string()),
  services: z.array(SourceService),
  volumes: z.array(SourceVolume),
  tasks: z.array(SourceTask),
  /** Absent: the format has none. */
  commands: z.array(SourceCommand).optional(),
  projects: z.array(SourceProject),
  /** Absent, like the two that follow: the format has none. */
  images: z.array(SourceImage).optional(),
  manifests: z.array(SourceManifest).optional(),
  applies: z.array(SourceApply).optional(),
  routes: z.array(Fact(SourceRoute)),
  policies: z.array(Fact(SourcePolicy)),
  /** Names that services may call and that lead out of the source; absent: none. */
  externalNames: z.array(Fact(z.object({ name: z.string(), to: z.string() }))).optional(),
  /** Production's services that are wanted around it (devfile: attributes); absent: none. */
  mirror: SourceMirror.optional(),
  leftOut: z.array(LeftOut),
});
export type SourceModel = z.infer<typeof SourceModel>;
