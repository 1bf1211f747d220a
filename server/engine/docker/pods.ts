import type { PlannedService } from "../../protocol/service.ts";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { Owner } from "../engine.ts";
import { isMirrored } from "../member-spec.ts";
import type { ContainerOptions } from "./containers.ts";
import { boundedLog } from "./containers.ts";
import { label, type Names, type Role } from "./names.ts";
import { redirectsOf } from "./redirects.ts";
import type { Rules } from "./rules.ts";
import { smallestRoom } from "./subnets.ts";

/** A network namespace: one sandbox, and the services that share it. */
export interface Pod {
  /** The service that stands alone in it, but for what is a part of it; `null`: all others'. */
  readonly alone: string | null;
  readonly services: readonly PlannedService[];
  /** All in it is production's: its sandbox comes and goes with them, not with the workspace. */
  readonly isMirrored: boolean;
  /** It is fixed when the sandbox is made. */
  readonly hostname: string;
  /** Under which the network knows it; they can change while it runs. */
  readonly aliases: readonly string[];
}

/** Enough for the entry, a shell and iptables-nft; it then only waits. */
const sandboxMemoryBytes = 64 * 1024 * 1024;
const sandboxPids = 32;

/** The program of the helper image that sets the rules, says so, and waits for TERM. */
const sandboxEntry = "/usr/local/bin/oneloop-sandbox";

/**
 * The pods of a plan. A service of its own network is a pod like any other, so that nothing runs
 * without rules.
 */
export function podsOf(plan: WorkspacePlan): Pod[] {
  if (isAlone(plan)) return [genericPod];
  const pods = new Map<string | null, PlannedService[]>();
  // The one that people wait for is the first.
  const together = plan.services.filter((service) => podOf(plan, service) === null);
  if (together.length > 0) pods.set(null, together);
  for (const service of plan.services) {
    const pod = podOf(plan, service);
    if (pod !== null) pods.set(pod, [...(pods.get(pod) ?? []), service]);
  }
  return Array.from(pods, ([alone, services]) => ({
    alone,
    services,
    isMirrored: services.every((service) => isMirrored(plan, service)),
    hostname: hostnameOf(plan, { alone, services }),
    aliases: aliasesOf(services),
  }));
}

/** The pod of a service of the plan. */
export function podWith(plan: WorkspacePlan, service: PlannedService): Pod[] {
  return podsOf(plan).filter(({ services }) => services.some(({ name }) => name === service.name));
}

/** The container name of the sandbox whose network a service joins. */
export function sandboxNameOf(
  names: Names,
  { owner, plan }: { owner: Owner; plan: WorkspacePlan },
  service: PlannedService,
): string {
  return names.sandbox(owner, podOf(plan, service));
}

/** The service that names the pod of a service; `null` for the pod of all that do not stand alone. */
function podOf(plan: WorkspacePlan, service: PlannedService): string | null {
  let main = service;
  // Init and side containers are in the network of what they belong to.
  for (const seen = new Set([service]); ;) {
    const partOf = main.mirror?.partOf ?? null;
    const next = plan.services.find(({ name }) => name === partOf);
    if (next === undefined || seen.has(next)) break;
    seen.add(next);
    main = next;
  }
  return main.dedicatedPod ? main.name : null;
}

/**
 * The host name where nothing else needs one, so that a sandbox can be made before anybody knows whose
 * it is. The engine makes it one more name in the network.
 */
const genericHostname = "workspace";

/** A name has at most 63 characters (RFC 1123), and the kernel takes no host name beyond 64. */
const maxHostname = 63;

function hostnameOf(
  plan: WorkspacePlan,
  { alone, services: here }: Pick<Pod, "alone" | "services">,
): string {
  if (alone !== null) return alone.slice(0, maxHostname);
  // What stands in for a service of production calls itself by production's name.
  const isPlain = here.every((service) => (service.mirror?.names ?? []).length === 0);
  const elsewhere = plan.services.filter((service) => !here.includes(service));
  return isPlain && !aliasesOf(elsewhere).includes(genericHostname)
    ? genericHostname
    : (here[0]?.name ?? genericHostname).slice(0, maxHostname);
}

/** A service that is alone in its workspace has nobody who could call it by a name. */
function isAlone(plan: WorkspacePlan): boolean {
  const [only, ...others] = plan.services;
  return (
    only !== undefined &&
    others.length === 0 &&
    !only.dedicatedPod &&
    (only.mirror?.names ?? []).length === 0
  );
}

/**
 * Whether the sandbox that holds the workspace itself can be one that was made ahead, for nobody yet:
 * nothing in it is of the plan but names, which it can be given later.
 */
export function isGeneric(plan: WorkspacePlan): boolean {
  const pods = podsOf(plan);
  const [first] = pods;
  return pods.length <= smallestRoom && first?.alone === null && first.hostname === genericHostname;
}

/**
 * Whether the sandboxes of two plans are made alike, whosever they are: what one has of its plan is
 * the names under which it is called, and the ports that lead elsewhere.
 */
export function haveSamePods(one: WorkspacePlan, other: WorkspacePlan): boolean {
  const made = (plan: WorkspacePlan): string =>
    JSON.stringify(
      podsOf(plan).map((pod) => ({
        alone: pod.alone,
        isMirrored: pod.isMirrored,
        hostname: pod.hostname,
        aliases: pod.aliases,
        redirects: redirectsOf(pod.services).redirects,
      })),
    );
  return made(one) === made(other);
}

/** The pod of a sandbox that is made ahead, and of every generic plan. */
export const genericPod: Pod = {
  alone: null,
  services: [],
  isMirrored: false,
  hostname: genericHostname,
  aliases: [],
};

/**
 * The sandbox owns the network namespace. Its own entry sets the rules before anybody joins: a
 * helper that joins it would take another 128 ms, and members could reach neither (they share no
 * other namespace with it).
 */
export function sandboxOptions(
  names: Names,
  owner: Owner,
  { pod, rules, image }: { pod: Pod; rules: Rules; image: string },
): ContainerOptions {
  const role: Role = "sandbox";
  const network = names.network(owner);
  return {
    name: names.sandbox(owner, pod.alone),
    Image: image,
    Hostname: pod.hostname,
    User: "0:0",
    Entrypoint: [sandboxEntry],
    Cmd: [],
    Env: [`ONELOOP_RULES_V4=${rules.v4}`, `ONELOOP_RULES_V6=${rules.v6}`],
    Labels: {
      ...names.containerLabels(owner),
      [label.role]: role,
      // Its end is the service's.
      ...(pod.isMirrored && pod.alone !== null ? { [label.service]: pod.alone } : {}),
    },
    HostConfig: {
      NetworkMode: network,
      CapDrop: ["ALL"],
      CapAdd: ["NET_ADMIN"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      Memory: sandboxMemoryBytes,
      MemorySwap: sandboxMemoryBytes,
      PidsLimit: sandboxPids,
      RestartPolicy: { Name: "no" },
      // The engine turns IPv6 off in a network without it; ::1 is local and stays.
      Sysctls: { "net.ipv6.conf.lo.disable_ipv6": "0" },
      LogConfig: boundedLog,
    },
    NetworkingConfig: {
      EndpointsConfig: { [network]: { Aliases: [...pod.aliases] } },
    },
  };
}

/** The services' own names, and those that production has for them, dotted ones among them. */
function aliasesOf(services: readonly PlannedService[]): string[] {
  const names = services.flatMap((service) => [
    service.name,
    ...(service.mirror?.names ?? []).map(({ name }) => name),
  ]);
  return [...new Set(names)];
}
