import { z } from "zod";
import { Fact, Place } from "./fact.ts";
import { SourceService } from "./service.ts";

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

/** A command that the source wants run (devfile: `exec` commands). */
export const SourceTask = z.object({
  name: z.string(),
  /** The service in whose container it runs. */
  service: Fact(z.string()),
  /** A line for a shell. */
  commandLine: Fact(z.string()),
  /** As the source has it: variables of the tool may stand in it. */
  workingDir: Fact(z.string().nullable()),
  env: z.array(z.object({ name: z.string(), value: Fact(z.string()) })),
  /** When it runs by itself; null: only when somebody asks for it. */
  event: z.enum(["preStart", "postStart", "preStop", "postStop"]).nullable(),
  /** Tasks of the same event that must be done before it begins; all stand before it in the list. */
  needs: z.array(z.string()),
  where: Place,
});
export type SourceTask = z.infer<typeof SourceTask>;

/** A repository that the source wants checked out beside the opened one (devfile: `projects`). */
export const SourceProject = z.object({
  name: z.string(),
  url: Fact(z.string()),
  /** A branch, tag or commit; null: the remote's default branch. */
  revision: Fact(z.string().nullable()),
  /** Below the source root, without a leading slash. */
  clonePath: Fact(z.string()),
  where: Place,
});
export type SourceProject = z.infer<typeof SourceProject>;

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

/** What a file or an engine says. Every format is a reader into this. */
export const SourceModel = z.object({
  /** The format that was read, such as `devfile`. */
  format: z.string(),
  name: Fact(z.string()),
  services: z.array(SourceService),
  volumes: z.array(SourceVolume),
  tasks: z.array(SourceTask),
  projects: z.array(SourceProject),
  routes: z.array(Fact(SourceRoute)),
  policies: z.array(Fact(SourcePolicy)),
  leftOut: z.array(LeftOut),
});
export type SourceModel = z.infer<typeof SourceModel>;
