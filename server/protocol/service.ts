import { z } from "zod";
import { Fact } from "./fact.ts";

/** What a source says of an environment value; a secret's data never leaves its reader. */
export const EnvValue = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("literal"), value: z.string() }),
  z.object({ kind: z.literal("secretRef"), secret: z.string(), key: z.string() }),
  z.object({ kind: z.literal("fromUser"), name: z.string() }),
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

export const VolumeMount = z.object({ volume: z.string(), path: z.string() });
export type VolumeMount = z.infer<typeof VolumeMount>;

/**
 * The fields of a service, named once for both models. `null` says "as the image has it" (command,
 * args, user), "no limit" (limits) or "not mounted" (sourcePath).
 */
const plainFields = {
  image: z.string(),
  /** The entry point as an argument vector. */
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

/** A service in a WorkspacePlan: plain values. */
export const PlannedService = z.object({
  name: z.string(),
  ...plainFields,
  env: z.record(z.string(), z.string()),
  endpoints: z.array(listFields.endpoints),
  mounts: z.array(listFields.mounts),
});
export type PlannedService = z.infer<typeof PlannedService>;

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
});
export type SourceService = z.infer<typeof SourceService>;
