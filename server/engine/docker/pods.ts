import type { PlannedService } from "../../protocol/service.ts";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { Preparation } from "../engine.ts";
import type { Owner } from "../steps.ts";
import { isMirrored } from "../member-spec.ts";
import type { ContainerOptions } from "./containers.ts";
import { boundedLog } from "./containers.ts";
import { label, type Names, type Role } from "./names.ts";
import { redirectsOf } from "./redirects.ts";
import type { Rules } from "./rules.ts";
import { roomIn } from "./subnets.ts";

/** A network namespace: one sandbox, and the services that share it. */
export interface Pod {
  /** The service that stands alone in it, but for what is a part of it; `null`: all others'. */
  readonly alone: string | null;
  readonly services: readonly PlannedService[];
  /** All in it is production's: its sandbox comes and goes with them, not with the workspace. */
  readonly isMirrored: boolean;
  /** It is fixed when the sandbox is made; `null`: one that the engine makes up. */
  readonly hostname: string | null;
  /** Under which the network knows it from the moment at which it comes there. */
  readonly aliases: readonly string[];
}

/** Enough for the entry, a shell and iptables-nft; it then only waits. */
const sandboxMemoryBytes = 64 * 1024 * 1024;
const sandboxPids = 32;

/** The program of the helper image that sets the rules, says so, and waits for TERM. */
const sandboxEntry = "/usr/local/bin/oneloop-sandbox";

/**
 * The idle ones wait for an open that may not come, and each container has a shim of the engine: 13 MB
 * resident, measured, so some 200 MB in all. A larger mirror makes the rest itself.
 */
const maxPrepared = 16;

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
  const called = new Map<string, number>([[genericHostname, 1]]);
  for (const name of Array.from(pods.values()).flatMap(aliasesOf)) {
    called.set(name, (called.get(name) ?? 0) + 1);
  }
  return Array.from(pods, ([alone, services]) => {
    const aliases = aliasesOf(services);
    /** Newer engines make a host name one more name in the network. */
    const isFree = (name: string): boolean =>
      (called.get(name) ?? 0) === (aliases.includes(name) ? 1 : 0);
    return {
      alone,
      services,
      isMirrored: services.every((service) => isMirrored(plan, service)),
      hostname:
        alone === null
          ? hostnameOf(plan, services)
          : hostnameAlone(plan, { alone, services }, isFree),
      aliases,
    };
  });
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

/** What the engine takes as one, and the container's list of hosts. */
const hostnameForm = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i;

/**
 * Production says few host names, and makes up the others. Of a service that keeps data it stays the
 * same nevertheless: there are programs that keep their data under it (RabbitMQ).
 */
function hostnameAlone(
  plan: WorkspacePlan,
  { alone, services }: { readonly alone: string; readonly services: readonly PlannedService[] },
  isFree: (name: string) => boolean,
): string | null {
  const said = services.find(({ name }) => name === alone)?.mirror?.hostname ?? "";
  if (hostnameForm.test(said) && isFree(said)) return said.slice(0, maxHostname);
  const isMadeUp = services.every(
    (service) => isMirrored(plan, service) && service.mounts.length === 0,
  );
  return isMadeUp ? null : alone.slice(0, maxHostname);
}

function hostnameOf(plan: WorkspacePlan, here: readonly PlannedService[]): string {
  const elsewhere = plan.services.filter((service) => !here.includes(service));
  return aliasesOf(elsewhere).includes(genericHostname)
    ? (here[0]?.name ?? genericHostname).slice(0, maxHostname)
    : genericHostname;
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

/** The sandboxes that are made for a workspace that nobody has asked for yet. */
export function podsMadeAhead({ like, spares }: Preparation): Pod[] {
  const made = like === null ? [genericPod] : podsOf(like).slice(0, maxPrepared);
  return [...made, ...Array.from({ length: spares }, (_, at) => sparePod(at + 1))];
}

/**
 * How many of a plan's pods there are in what was made ahead: 0 where the workspace's own, which an
 * open waits for, is not among them.
 */
export function countPrepared(plan: WorkspacePlan, preparation: Preparation): number {
  const wanted = podsOf(plan);
  const made = podsMadeAhead(preparation);
  const isMade = (pod: Pod): boolean => made.some((one) => keyOf(one) === keyOf(pod));
  const [first] = wanted;
  if (first === undefined || first.alone !== null || !isMade(first)) return 0;
  if (first.aliases.length > 0 && !isRenamed(first, preparation)) return 0;
  const found = wanted.filter(isMade);
  const missing = wanted.filter((pod) => !found.includes(pod) && isInterchangeable(pod));
  const named = new Set(wanted.map(({ alone }) => alone));
  const others = made.filter((pod) => !named.has(pod.alone) && isSpare(pod));
  const count = found.length + Math.min(missing.length, others.length);
  // What has no use keeps its address until the others have what they need.
  return made.length + wanted.length - count <= roomFor(preparation) ? count : 0;
}

/** So many sandboxes the network of what is made ahead has room for. */
export function roomFor(preparation: Preparation): number {
  const { like } = preparation;
  const needed = like === null ? 0 : podsOf(like).length;
  return roomIn(Math.max(needed, podsMadeAhead(preparation).length));
}

/**
 * Whether it can have a sandbox that was made for nobody: nothing in it is this one's but the names
 * under which it is called.
 */
export function isInterchangeable(pod: Pod): pod is Pod & { readonly alone: string } {
  return (
    pod.alone !== null &&
    pod.isMirrored &&
    pod.hostname === null &&
    redirectsOf(pod.services).redirects.length === 0
  );
}

/** Whether what its sandbox is called is known only when it is taken; one alone has no names. */
export function isRenamed(pod: Pod, { like, spares, several }: Preparation): boolean {
  if (pod.alone !== null) return isSpare(pod);
  return like !== null || spares > 0 || several === true;
}

/** All that its sandbox is made from. */
function keyOf({ alone, isMirrored, hostname, services }: Pod): string {
  return JSON.stringify([alone, isMirrored, hostname, redirectsOf(services).redirects]);
}

/** The workspace's own, of most plans. */
const genericPod: Pod = {
  alone: null,
  services: [],
  isMirrored: false,
  hostname: genericHostname,
  aliases: [],
};

function isSpare({ alone, services }: Pod): boolean {
  return alone !== null && services.length === 0;
}

function sparePod(number: number): Pod {
  const alone = `spare-${number}`;
  return { alone, services: [], isMirrored: true, hostname: null, aliases: [] };
}

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
    ...(pod.hostname === null ? {} : { Hostname: pod.hostname }),
    User: "0:0",
    Entrypoint: [sandboxEntry],
    Cmd: [],
    Env: [`ONELOOP_RULES_V4=${rules.v4}`, `ONELOOP_RULES_V6=${rules.v6}`],
    Labels: {
      ...names.containerLabels(owner),
      [label.role]: role,
      // Its end is the service's, which its name says: one that was made ahead had another.
      ...(pod.isMirrored && pod.alone !== null ? { [label.service]: "" } : {}),
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
