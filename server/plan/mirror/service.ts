import type { Fact } from "../../protocol/fact.ts";
import {
  unsaidMirror,
  type Dependency,
  type MirroredService,
  type NetworkName,
  type PlannedService,
  type SourceService,
} from "../../protocol/service.ts";
import type { Facts } from "../facts.ts";
import { nameOf } from "./develop.ts";
import type { Secrets } from "./secrets.ts";
import { planEnv, planFiles } from "./values.ts";

/** What a workspace's container may have beyond none: the engine's usual set, without NET_RAW and MKNOD. */
const allowedCapabilities: ReadonlySet<string> = new Set([
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"],
  ...["SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
]);

export interface MirrorContext {
  readonly facts: Facts;
  readonly secrets: Secrets;
  /** The plan's name of a service of production, for those that are in the plan; null for others. */
  readonly planned: (name: string) => string | null;
  /** From the source's name of a volume to the plan's. */
  readonly volumeNames: ReadonlyMap<string, string>;
}

/** A service of production in plain values; it runs in a network of its own, or in its owner's. */
export function mirrorService(
  service: SourceService,
  image: string,
  context: MirrorContext,
): PlannedService {
  const { facts, volumeNames } = context;
  const name = nameOf(service);
  /** A field that may be unknown: it is listed then, and the default holds. */
  const read = <Value>(key: string, fact: Fact<Value>, otherwise: Value): Value =>
    facts.prefer(fact, { what: `${key} of service ${name}`, otherwise });
  const { env, composedEnv } = planEnv(service, { ...context, name });
  return {
    name,
    image,
    command: read("command", service.command, null),
    args: read("args", service.args, null),
    memoryLimitBytes: read("memoryLimitBytes", service.memoryLimitBytes, null),
    memoryRequestBytes: read("memoryRequestBytes", service.memoryRequestBytes, null),
    cpuLimitCores: read("cpuLimitCores", service.cpuLimitCores, null),
    cpuRequestCores: read("cpuRequestCores", service.cpuRequestCores, null),
    user: read("user", service.user, null),
    readOnlyRoot: read("readOnlyRoot", service.readOnlyRoot, false),
    sourcePath: null,
    dedicatedPod: true,
    env,
    endpoints: facts.knownOf(service.endpoints, `endpoint of service ${name}`),
    mounts: facts
      .knownOf(service.mounts, `volume mount of service ${name}`)
      .map((mount) => ({ ...mount, volume: volumeNames.get(mount.volume) ?? mount.volume })),
    mirror: {
      role: read("role", service.role, "service"),
      partOf: partOf(service, context),
      build: read("build", service.build, null),
      platform: read("platform", service.platform, null),
      workingDir: read("workingDir", service.workingDir, null),
      ...capabilities(service, facts),
      readiness: read("readiness", service.readiness, null),
      liveness: read("liveness", service.liveness, null),
      startup: read("startup", service.startup, null),
      restart: read("restart", service.restart, "no"),
      stopGraceSeconds: read("stopGraceSeconds", service.stopGraceSeconds, null),
      names: networkNames(service, facts),
      dependsOn: dependencies(service, context),
      files: planFiles(service, { ...context, name }),
      tmpfs: facts.knownOf(service.tmpfs, `tmpfs of service ${name}`),
      composedEnv,
      ...(service.hostname === undefined
        ? {}
        : { hostname: read("hostname", service.hostname, name) }),
      ...syncRules(service, facts),
    },
  };
}

/** What of production's services the dev service takes on when it stands in for them. */
export function standIn(
  services: readonly SourceService[],
  context: MirrorContext,
): Pick<PlannedService, "env"> & { mirror: MirroredService } {
  const envs = services.map((service) => planEnv(service, { ...context, name: nameOf(service) }));
  return {
    env: Object.assign({}, ...envs.map(({ env }) => env)) as Record<string, string>,
    mirror: {
      ...unsaidMirror,
      names: services.flatMap((service) => [
        { name: nameOf(service), ports: [] },
        ...networkNames(service, context.facts),
      ]),
      composedEnv: Object.assign({}, ...envs.map(({ composedEnv }) => composedEnv)) as Record<
        string,
        MirroredService["composedEnv"][string]
      >,
    },
  };
}

/** Those of files that go into the build: nothing else of the repository is watched for it. */
function syncRules(service: SourceService, facts: Facts): Pick<MirroredService, "sync"> {
  const context = service.build.known ? (service.build.value?.context ?? null) : null;
  const sync = (service.sync ?? []).flatMap((fact) => {
    if (!fact.known) return [];
    const { path } = fact.value;
    const isIn = context === "." || path === context || path.startsWith(`${context ?? ""}/`);
    if (context !== null && isIn) return [{ ...fact.value, where: fact.where }];
    const what = `sync rule of service ${nameOf(service)}`;
    const why =
      context === null
        ? "Nothing of the repository builds it here."
        : `${path} is outside of its build's context, ${context}.`;
    facts.leftOut.push({ what, why, where: fact.where });
    return [];
  });
  return sync.length === 0 ? {} : { sync };
}

function partOf({ partOf: owner }: SourceService, { planned }: MirrorContext): string | null {
  return owner.known && owner.value !== null ? planned(owner.value) : null;
}

function capabilities(
  service: SourceService,
  facts: Facts,
): Pick<MirroredService, "capabilitiesAdded" | "capabilitiesDropped"> {
  const { capabilitiesAdded: added, capabilitiesDropped: dropped } = service;
  const what = `capabilities of service ${nameOf(service)}`;
  const wanted = facts.prefer(added, { what, otherwise: [] });
  const refused = wanted.filter((one) => !allowedCapabilities.has(one));
  if (refused.length > 0) {
    const why = `No container of a workspace may have ${refused.join(", ")}.`;
    facts.leftOut.push({ what, why, where: added.where });
  }
  return {
    capabilitiesAdded: wanted.filter((one) => allowedCapabilities.has(one)),
    capabilitiesDropped: facts.prefer(dropped, { what, otherwise: [] }),
  };
}

/** Each name once; one port of a service leads to one place only. */
function networkNames(service: SourceService, facts: Facts): NetworkName[] {
  const what = `a name of service ${nameOf(service)}`;
  const names = new Map<string, NetworkName>();
  for (const one of facts.knownOf(service.names, what)) {
    const before = names.get(one.name);
    names.set(one.name, before === undefined ? one : joined(before, one));
  }
  return [...names.values()];
}

function joined(one: NetworkName, other: NetworkName): NetworkName {
  return { name: one.name, ports: [...one.ports, ...other.ports] };
}

/** Of services that are in the plan; what is not there, nothing waits for. */
function dependencies(service: SourceService, { facts, planned }: MirrorContext): Dependency[] {
  const found = new Map<string, Dependency>();
  for (const one of facts.knownOf(service.dependsOn, `order of service ${nameOf(service)}`)) {
    const name = planned(one.service);
    if (name !== null) found.set(name, { ...one, service: name });
  }
  return [...found.values()];
}
