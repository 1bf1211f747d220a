import { availableParallelism } from "node:os";
import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { PlannedService } from "../../protocol/service.ts";
import type { Preparation } from "../engine.ts";
import type { Owner, StepOptions, WorkspaceSpec } from "../steps.ts";
import { statusOf, unless } from "./client.ts";
import {
  EndedBeforeReady,
  ensureContainer,
  removeContainer,
  specHash,
  startUntilReady,
  type ContainerOptions,
} from "./containers.ts";
import { hostAddresses, resolveAllowed, resolvers } from "./host.ts";
import type { AllowedHost } from "../../util/allow-net.ts";
import type { Log } from "../../util/log.ts";
import type { OwnRemovals } from "./events.ts";
import { label, type Names, type Role } from "./names.ts";
import { ensureNetwork, ensureWaitingNetwork, isJoined, isNamed } from "./network.ts";
import {
  isInterchangeable,
  isRenamed,
  podsMadeAhead,
  podsOf,
  podWith,
  roomFor,
  sandboxNameOf,
  sandboxOptions,
  type Pod,
} from "./pods.ts";
import { redirectsOf } from "./redirects.ts";
import { openRules, sandboxRules, type RuleFacts, type Rules } from "./rules.ts";
import { hasRoom, type Subnet } from "./subnets.ts";

export interface SandboxParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly helperImage: string;
  /** The range of all networks, such as `10.213.0.0/16`. */
  readonly range: string;
  readonly allowed: readonly AllowedHost[];
  readonly isolation: "on" | "off";
  /** The machine's list of name servers; `/etc/resolv.conf` by default. */
  readonly resolvConf: string | undefined;
  /** By the name of an owner's network: what of it said that its rules are set. */
  readonly ready: Map<string, ReadyNetwork>;
  /** The same, of those of which something was. */
  readonly ahead: Map<string, MadeAhead>;
  /** Work on the sandbox of a service, by its name: two never take one each. */
  readonly taking: Map<string, Promise<void>>;
  readonly ownRemovals: OwnRemovals;
  /** Removals that nobody waits for. */
  readonly ending: Set<Promise<void>>;
  readonly log: Log;
}

/** A network whose sandboxes this control plane saw become ready. */
export interface ReadyNetwork {
  readonly subnet: Subnet;
  /** When each was started, by its container's id: one that was started again has to say it again. */
  readonly startedAt: ReadonlyMap<string, string>;
}

/** What was made of a workspace's network before anybody asked for it. */
export interface MadeAhead {
  /** Sandboxes that no service has yet, by what they are called. */
  readonly spares: Map<string, { readonly id: string; readonly waits: boolean }>;
  /** The services of production that have one. */
  readonly served: Set<string>;
}

/** A sandbox that runs, with its rules in force. */
export interface RunningSandbox {
  readonly id: string;
  readonly address: string;
  /** Milliseconds since 1970, of the engine's clock. */
  readonly startedAtMs: number;
}

/**
 * Network, then one sandbox for each pod that is not production's; resolves when each has said that
 * its rules are set.
 *
 * @throws OneloopError `isolation-unavailable` when one could not set them: nothing may join then.
 */
export async function ensureSandboxes(
  parts: SandboxParts,
  spec: WorkspaceSpec,
  options: StepOptions,
): Promise<void> {
  const all = podsOf(spec.plan);
  const pods = all.filter(({ isMirrored }) => !isMirrored);
  const isTaken = await makeSandboxes(
    parts,
    { owner: spec.owner, pods, room: all.length },
    options,
  );
  if (!isTaken) await noteStrays(parts, spec);
  endSpares(parts, spec);
}

/** The sandbox of one service, as `ensureSandboxes`. */
export async function ensureSandboxOf(
  parts: SandboxParts,
  { spec, service }: { readonly spec: WorkspaceSpec; readonly service: PlannedService },
  options: StepOptions,
): Promise<void> {
  const { names, ahead, taking } = parts;
  const { owner, plan } = spec;
  const wanted = { owner, pods: podWith(plan, service), room: podsOf(plan).length, of: plan };
  const name = sandboxNameOf(names, spec, service);
  const before = taking.get(name) ?? Promise.resolve();
  const making = before
    .catch(() => undefined)
    .then(async () => void (await makeSandboxes(parts, wanted, options)));
  taking.set(name, making);
  try {
    await making;
  } finally {
    if (taking.get(name) === making) taking.delete(name);
  }
  const served = ahead.get(names.network(owner))?.served;
  for (const { alone } of wanted.pods) served?.add(alone ?? "");
  endSpares(parts, spec);
}

/** Sandboxes of services that the plan does not have: a control plane before this one left them. */
async function noteStrays(
  { docker, names, ahead }: SandboxParts,
  { owner, plan }: WorkspaceSpec,
): Promise<void> {
  const role: Role = "sandbox";
  const ofService = [`${label.role}=${role}`, `${label.service}=`];
  const filters = { label: [...names.filter(owner), ...ofService] };
  const found = await docker.listContainers({ all: true, filters });
  const planned = new Set(podsOf(plan).map((pod) => names.sandbox(owner, pod.alone)));
  const strays = found.flatMap(({ Id: id, Names: [path = ""], Labels }) =>
    planned.has(path.slice(1)) || Labels[label.service] !== ""
      ? []
      : [[path, { id, waits: false }] as const],
  );
  if (strays.length === 0) return;
  const { spares = [], served = [] } = ahead.get(names.network(owner)) ?? {};
  const known = new Set(Array.from(spares, ([, { id }]) => id));
  ahead.set(names.network(owner), {
    spares: new Map([...spares, ...strays.filter(([, { id }]) => !known.has(id))]),
    served: new Set(served),
  });
}

/** Removes what was made ahead and no service of the plan will have; nobody waits for it. */
function endSpares(
  { docker, names, ahead, ownRemovals, ending, log }: SandboxParts,
  { owner, plan }: WorkspaceSpec,
): void {
  const known = ahead.get(names.network(owner));
  if (known === undefined || known.spares.size === 0) return;
  const pods = podsOf(plan);
  const isServed = (pod: Pod): boolean => !isInterchangeable(pod) || known.served.has(pod.alone);
  if (!pods.every(isServed)) return;
  const planned = new Set(pods.map(({ alone }) => alone));
  const left = [...known.spares].filter(([name]) => !planned.has(name));
  const ids = left.map(([, { id }]) => id);
  known.spares.clear();
  for (const id of ids) ownRemovals.add(id);
  const removal = Promise.all(ids.map((id) => removeContainer(docker, id)))
    .then(() => undefined)
    .catch((error: unknown) => log.warn({ err: error }, "spare sandboxes were not removed"))
    .finally(() => ending.delete(removal));
  ending.add(removal);
}

/** Those of a workspace that has no plan yet. */
export async function prepareSandboxes(
  parts: SandboxParts,
  owner: Owner,
  options: StepOptions & { readonly preparation: Preparation },
): Promise<void> {
  const { preparation } = options;
  const pods = podsMadeAhead(preparation);
  const waiting = new Set(pods.filter((pod) => isRenamed(pod, preparation)));
  if (waiting.size > 0)
    await ensureWaitingNetwork(parts.docker, parts.names, { ...parts, ...options });
  // One after the other: somebody may open a workspace meanwhile.
  const wanted = { owner, pods, room: roomFor(preparation), atOnce: 1, waiting } as const;
  await makeSandboxes(parts, wanted, options);
}

interface Wanted {
  readonly owner: Owner;
  readonly pods: readonly Pod[];
  /** How many the network is to have addresses for. */
  readonly room: number;
  readonly atOnce?: number;
  /** The plan, where its services may have what was made ahead for others. */
  readonly of?: WorkspacePlan;
  /** For a workspace that has no plan yet: those of which nobody knows what they will be called. */
  readonly waiting?: ReadonlySet<Pod>;
}

/** @returns whether all were there, and were taken as they are. */
async function makeSandboxes(
  parts: SandboxParts,
  wanted: Wanted,
  options: StepOptions,
): Promise<boolean> {
  const { docker, names, range, ready, ahead } = parts;
  const key = names.network(wanted.owner);
  const gathering = hostFacts(parts, options);
  gathering.catch(() => undefined);
  for (const pod of wanted.pods) {
    for (const line of redirectsOf(pod.services).leftOut) options.onProgress?.(line);
  }
  if (await takeReady(parts, wanted, gathering)) {
    options.onPhase?.("network-made");
    options.onPhase?.("sandbox-made");
    return true;
  }
  // What holds the workspace is made sure of whole; a service of production joins what is there.
  const known = wanted.pods.every((pod) => pod.isMirrored) ? ready.get(key)?.subnet : undefined;
  if (known === undefined) ready.delete(key);
  const making =
    known ??
    ensureNetwork(docker, names, {
      owner: wanted.owner,
      range,
      pods: wanted.room,
      signal: options.signal,
    });
  const [network, facts] = await Promise.all([making, gathering]);
  options.onPhase?.("network-made");
  const startedAt = new Map<string, string>();
  const spares: MadeAhead["spares"] = new Map();
  try {
    await inTurns(wanted.pods, wanted.atOnce ?? sandboxesAtOnce, async (pod) => {
      const rules = rulesOf(pod, network, facts);
      const started = await ensureSandbox(parts, wanted, { pod, rules, options });
      startedAt.set(started.id, started.at);
      if (pod.alone !== null && pod.isMirrored) {
        spares.set(pod.alone, { id: started.id, waits: wanted.waiting?.has(pod) === true });
      }
    });
  } catch (error) {
    // It may be the network that is not what it was.
    ready.delete(key);
    throw error;
  }
  // Others may have become ready meanwhile, in the same network.
  const others = ready.get(key);
  const before = others?.subnet.subnet === network.subnet ? others.startedAt : [];
  ready.set(key, { subnet: network, startedAt: new Map([...before, ...startedAt]) });
  if (wanted.waiting !== undefined) ahead.set(key, { spares, served: new Set() });
  return false;
}

/**
 * Takes the sandboxes that run as this control plane saw them become ready, in their network and with
 * the rules that hold now: one question to the engine for each, where making sure takes eight. One that
 * was made ahead gets the plan's names.
 *
 * @returns false where they are not all so: then they have to be made sure of.
 */
async function takeReady(
  parts: SandboxParts,
  wanted: Wanted,
  gathering: Promise<HostFacts | null>,
): Promise<boolean> {
  const { docker, names, helperImage, ready, ahead } = parts;
  const network = names.network(wanted.owner);
  const known = ready.get(network);
  if (known === undefined || !hasRoom(known.subnet.subnet, wanted.room)) return false;
  const facts = await gathering;
  const pods = wanted.pods.map(async (pod) => {
    const rules = rulesOf(pod, known.subnet, facts);
    const options = sandboxOptions(names, wanted.owner, { pod, rules, image: helperImage });
    const spares = ahead.get(network)?.spares ?? new Map();
    const found = await findReady(docker, { spares, of: wanted.of ?? null }, { pod, options });
    const isReady =
      found?.State.Running === true &&
      found.State.StartedAt === known.startedAt.get(found.Id) &&
      found.Config.Labels[label.spec] === specHash(options) &&
      (isJoined(found.NetworkSettings, names.waitingNetwork()) ||
        (isJoined(found.NetworkSettings, network) && isCalled(found, options)));
    if (!isReady) return false;
    const joined = await unless([404], join(parts, found, options));
    return joined !== null;
  });
  return (await Promise.all(pods)).every((isReady) => isReady);
}

/** The sandbox of a pod by its name, or one of nobody's that has the name from now on. */
async function findReady(
  docker: Docker,
  { spares, of }: { readonly spares: MadeAhead["spares"]; readonly of: WorkspacePlan | null },
  { pod, options }: { readonly pod: Pod; readonly options: ContainerOptions },
): Promise<Docker.ContainerInspectInfo | null> {
  const found = await unless([404], docker.getContainer(options.name).inspect());
  if (pod.alone !== null) spares.delete(pod.alone);
  if (found !== null || of === null || !isInterchangeable(pod)) return found;
  // The plan's other services have those that are called as they are.
  const [name, spare] =
    [...spares].find(
      ([is, one]) => one.waits && !of.services.some((service) => service.name === is),
    ) ?? [];
  if (name === undefined || spare === undefined) return null;
  spares.delete(name);
  const container = docker.getContainer(spare.id);
  try {
    await container.rename({ name: options.name });
  } catch (error) {
    spares.set(name, spare);
    if (statusOf(error) === 404 || statusOf(error) === 409) return null;
    throw error;
  }
  return unless([404], container.inspect());
}

function rulesOf(pod: Pod, network: Subnet, facts: HostFacts | null): Rules {
  const { redirects } = redirectsOf(pod.services);
  return facts === null
    ? openRules({ ...network, redirects })
    : sandboxRules({ ...network, ...facts, redirects });
}

/**
 * A start is a processor's work, with some waiting. Ten of them on two busy processors, which the
 * engine shares with us: 9.8 s one after the other, 6.3 s two at a time, 6.0 s four, 5.6 s all.
 */
const sandboxesAtOnce = 2 * availableParallelism();

/** Works on a few at a time, in order; after a failure on no further one. */
async function inTurns<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const takeTurns = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  const turns = Array.from({ length: limit }, takeTurns);
  try {
    await Promise.all(turns);
  } finally {
    left.length = 0;
    await Promise.allSettled(turns);
  }
}

/** @throws OneloopError `engine-failed` when it does not run: the step before must come again. */
export async function runningSandbox(
  { docker, names }: Pick<SandboxParts, "docker" | "names">,
  spec: WorkspaceSpec,
  service: PlannedService,
): Promise<RunningSandbox> {
  const name = sandboxNameOf(names, spec, service);
  const found = await unless([404], docker.getContainer(name).inspect());
  const address = found?.NetworkSettings.Networks[names.network(spec.owner)]?.IPAddress;
  if (found?.State.Running !== true || address === undefined) {
    throw new OneloopError(
      "engine-failed",
      `The sandbox of ${service.name} does not run. Start the workspace again.`,
    );
  }
  return { id: found.Id, address, startedAtMs: Date.parse(found.State.StartedAt) };
}

/**
 * The id of the sandbox of what is the owner's own, which runs: those of production's services come and
 * go.
 *
 * @throws OneloopError `engine-failed` where none runs
 */
export async function ownSandbox(
  docker: Docker,
  { label: owned }: { readonly label: readonly string[] },
): Promise<string> {
  const role: Role = "sandbox";
  const running = await docker.listContainers({
    filters: { label: [...owned, `${label.role}=${role}`], status: ["running"] },
  });
  const found = running.find(({ Labels }) => Labels[label.service] === undefined);
  if (found !== undefined) return found.Id;
  throw new OneloopError(
    "engine-failed",
    "The workspace's network does not run, so nothing can be built in it. Start the workspace again.",
  );
}

type HostFacts = Omit<RuleFacts, keyof Subnet | "redirects">;

async function hostFacts(
  { allowed, isolation, resolvConf }: SandboxParts,
  { onProgress }: StepOptions,
): Promise<HostFacts | null> {
  if (isolation === "off") {
    onProgress?.("ONELOOP_ISOLATION=off: this workspace runs without network rules.");
    return null;
  }
  const [addresses, servers, targets] = await Promise.all([
    hostAddresses(),
    resolvers(resolvConf),
    resolveAllowed(allowed, (host) =>
      onProgress?.(`ONELOOP_ALLOW_NET: ${host} does not resolve; it is not allowed.`),
    ),
  ]);
  return { hostAddresses: addresses, resolvers: servers, allowed: targets };
}

async function ensureSandbox(
  parts: SandboxParts,
  { owner, waiting }: Wanted,
  { pod, rules, options }: { pod: Pod; rules: Rules; options: StepOptions },
): Promise<{ readonly id: string; readonly at: string }> {
  const { docker, names, helperImage } = parts;
  const wanted = sandboxOptions(names, owner, { pod, rules, image: helperImage });
  const waits = waiting?.has(pod) === true;
  const made = waits ? inNetwork(wanted, names.waitingNetwork()) : wanted;
  const how = { signal: options.signal, spec: specHash(wanted) };
  const start = async (): Promise<{ readonly id: string; readonly at: string }> => {
    let { container, found } = await ensureContainer(docker, made, how);
    if (found !== null && !waits && !isCalled(found, wanted)) {
      await removeContainer(docker, container.id);
      ({ container } = await ensureContainer(docker, made, how));
    }
    options.onPhase?.("sandbox-made");
    await startUntilReady(container, options.signal);
    const started = await container.inspect();
    if (!waits) await join(parts, started, wanted);
    return { id: container.id, at: started.State.StartedAt };
  };
  try {
    try {
      return await start();
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      // Its network was removed and made again meanwhile; the container knows the old one's id.
      await removeContainer(docker, wanted.name);
      return await start();
    }
  } catch (error) {
    if (!(error instanceof EndedBeforeReady)) throw error;
    throw new OneloopError(
      "isolation-unavailable",
      "The network rules could not be set, so the workspace does not start. The kernel needs nf_tables with conntrack and reject; ONELOOP_ISOLATION=off starts it without rules.",
      { cause: error },
    );
  }
}

function inNetwork(options: ContainerOptions, network: string): ContainerOptions {
  return {
    ...options,
    HostConfig: { ...options.HostConfig, NetworkMode: network },
    NetworkingConfig: {},
  };
}

/** False where its network has it under other names, which it could only change as another interface. */
function isCalled(found: Docker.ContainerInspectInfo, wanted: ContainerOptions): boolean {
  const { network, endpoint } = placeOf(wanted);
  const isThere = found.NetworkSettings.Networks[network] !== undefined;
  return !isThere || isNamed(found, network, endpoint?.Aliases ?? []);
}

function placeOf({ HostConfig, NetworkingConfig }: ContainerOptions): {
  readonly network: string;
  readonly endpoint: Docker.EndpointSettings | undefined;
} {
  const network = HostConfig?.NetworkMode ?? "";
  return { network, endpoint: NetworkingConfig?.EndpointsConfig?.[network] };
}

/**
 * Has one that waits in its network, under its names: 90 ms, a fifth of a new one.
 * One whose network was taken away while it ran gets it back: with it all members have it again, and
 * go on. The rules are the namespace's, and held all the time.
 */
async function join(
  { docker, names }: Pick<SandboxParts, "docker" | "names">,
  { Id: id, NetworkSettings }: Docker.ContainerInspectInfo,
  wanted: ContainerOptions,
): Promise<void> {
  const { network, endpoint } = placeOf(wanted);
  if (isJoined(NetworkSettings, network)) return;
  const waiting = names.waitingNetwork();
  if (NetworkSettings.Networks[waiting] !== undefined) {
    await unless([404], docker.getNetwork(waiting).disconnect({ Container: id, Force: true }));
  }
  await docker.getNetwork(network).connect({ Container: id, EndpointConfig: endpoint });
}
