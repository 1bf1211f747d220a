import type { Fact } from "../protocol/fact.ts";
import type { Checkout } from "../protocol/plan.ts";
import type { EnvValue, PlannedService, SourceService } from "../protocol/service.ts";
import type { Facts } from "./facts.ts";
import { belowSourceRoot } from "./projects.ts";

interface ServiceContext {
  readonly facts: Facts;
  /** From the source's name of a volume to the plan's. */
  readonly volumeNames: ReadonlyMap<string, string>;
  readonly checkout: Checkout | null;
}

/** One service in plain values. */
export function planService(service: SourceService, context: ServiceContext): PlannedService {
  const { facts, volumeNames } = context;
  const name = facts.need(service.name, "The name of a service");
  const field = (key: string) => `${key} of service ${name}`;
  /** A field whose null says "as the image has it", "no limit" or "not mounted". */
  const orNull = <Value>(key: string, fact: Fact<Value | null>) =>
    facts.prefer(fact, { what: field(key), otherwise: null });
  const orFalse = (key: "readOnlyRoot" | "dedicatedPod") =>
    facts.prefer(service[key], { what: field(key), otherwise: false });
  const sourcePath = orNull("sourcePath", service.sourcePath);
  return {
    name,
    image: facts.need(service.image, `The image of service ${name}`),
    command: orNull("command", service.command),
    args: orNull("args", service.args),
    memoryLimitBytes: orNull("memoryLimitBytes", service.memoryLimitBytes),
    memoryRequestBytes: orNull("memoryRequestBytes", service.memoryRequestBytes),
    cpuLimitCores: orNull("cpuLimitCores", service.cpuLimitCores),
    cpuRequestCores: orNull("cpuRequestCores", service.cpuRequestCores),
    user: orNull("user", service.user),
    readOnlyRoot: orFalse("readOnlyRoot"),
    sourcePath,
    dedicatedPod: orFalse("dedicatedPod"),
    env: { ...planEnv(service, name, facts), ...projectEnv(sourcePath, context.checkout) },
    endpoints: facts.knownOf(service.endpoints, field("endpoint")),
    mounts: facts
      .knownOf(service.mounts, field("volume mount"))
      .map(({ volume, path }) => ({ volume: volumeNames.get(volume) ?? volume, path })),
  };
}

function planEnv(service: SourceService, name: string, facts: Facts): Record<string, string> {
  const entries = Object.entries(service.env).flatMap(([key, fact]) => {
    const value = fact.known ? fact.value : { kind: "unknown" as const, why: fact.why };
    if (value.kind === "literal") return [[key, value.value] as const];
    const what = `environment variable ${key} of service ${name}`;
    facts.leftOut.push({ what, why: whyLeftOut(value), where: fact.where });
    return [];
  });
  return Object.fromEntries(entries);
}

function whyLeftOut(value: Exclude<EnvValue, { kind: "literal" }>): string {
  if (value.kind === "secretRef") {
    return `It comes from secret ${value.secret}, which Oneloop does not read.`;
  }
  if (value.kind === "composed") {
    return "Secrets are a part of it, which Oneloop does not read.";
  }
  if (value.kind === "fromUser") {
    return `It is asked from the user as ${value.name}, which is not supported yet.`;
  }
  return value.why;
}

function projectEnv(sourcePath: string | null, checkout: Checkout | null): Record<string, string> {
  if (sourcePath === null) return {};
  return {
    PROJECTS_ROOT: sourcePath,
    PROJECT_SOURCE: sourcePath + (checkout === null ? "" : belowSourceRoot(checkout.path)),
  };
}
