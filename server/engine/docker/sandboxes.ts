import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { PlannedService } from "../../protocol/service.ts";
import type { Owner, StepOptions, WorkspaceSpec } from "../engine.ts";
import { statusOf, unless } from "./client.ts";
import {
  EndedBeforeReady,
  ensureContainer,
  removeContainer,
  startUntilReady,
  type ContainerOptions,
} from "./containers.ts";
import { hostAddresses, resolveAllowed, resolvers, type AllowedHost } from "./host.ts";
import { label, type Names, type Role } from "./names.ts";
import { ensureNetwork, isJoined } from "./network.ts";
import { genericPod, podsOf, sandboxNameOf, sandboxOptions, type Pod } from "./pods.ts";
import { noRules, sandboxRules, type Rules } from "./rules.ts";
import type { Subnet } from "./subnets.ts";

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
}

/** A sandbox that runs, with its rules in force. */
export interface RunningSandbox {
  readonly id: string;
  readonly address: string;
  /** Milliseconds since 1970, of the engine's clock. */
  readonly startedAtMs: number;
}

/**
 * Network, then one sandbox for each pod; resolves when each has said that its rules are set.
 *
 * @throws OneloopError `isolation-unavailable` when one could not set them: nothing may join then.
 */
export function ensureSandboxes(
  parts: SandboxParts,
  spec: WorkspaceSpec,
  options: StepOptions,
): Promise<void> {
  return makeSandboxes(parts, { ...spec, pods: podsOf(spec.plan) }, options);
}

/** The sandbox that every generic plan needs, for an owner that has no plan yet. */
export function prepareSandbox(
  parts: SandboxParts,
  owner: Owner,
  options: StepOptions,
): Promise<void> {
  return makeSandboxes(parts, { owner, name: owner.id, pods: [genericPod] }, options);
}

interface Wanted {
  readonly owner: Owner;
  readonly name: string;
  readonly pods: readonly Pod[];
}

async function makeSandboxes(
  parts: SandboxParts,
  wanted: Wanted,
  options: StepOptions,
): Promise<void> {
  const { docker, names, range } = parts;
  const [network, facts] = await Promise.all([
    ensureNetwork(docker, names, { owner: wanted.owner, range, signal: options.signal }),
    hostFacts(parts, options),
  ]);
  options.onPhase?.("network-made");
  const rules = rulesFor(parts, network, facts);
  await Promise.all(
    wanted.pods.map((pod) => ensureSandbox(parts, wanted, { pod, rules, options })),
  );
}

/** @throws OneloopError `engine-failed` when it does not run: the step before must come again. */
export async function runningSandbox(
  { docker, names }: Pick<SandboxParts, "docker" | "names">,
  spec: WorkspaceSpec,
  service: PlannedService,
): Promise<RunningSandbox> {
  const name = sandboxNameOf(names, spec.owner, service);
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
 * The id of a running sandbox of an owner: all of them have the same rules.
 *
 * @throws OneloopError `engine-failed` where none runs
 */
export async function anySandbox(
  docker: Docker,
  { label: owned }: { readonly label: readonly string[] },
): Promise<string> {
  const role: Role = "sandbox";
  const [found] = await docker.listContainers({
    filters: { label: [...owned, `${label.role}=${role}`], status: ["running"] },
  });
  if (found !== undefined) return found.Id;
  throw new OneloopError(
    "engine-failed",
    "The workspace's network does not run, so nothing can be built in it. Start the workspace again.",
  );
}

type HostFacts = Omit<Parameters<typeof sandboxRules>[0], keyof Subnet>;

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

function rulesFor(parts: SandboxParts, network: Subnet, facts: HostFacts | null): Rules {
  return facts === null ? noRules : sandboxRules({ ...network, ...facts });
}

async function ensureSandbox(
  { docker, names, helperImage }: SandboxParts,
  workspace: Wanted,
  { pod, rules, options }: { pod: Pod; rules: Rules; options: StepOptions },
): Promise<void> {
  const wanted = sandboxOptions(names, workspace, { pod, rules, image: helperImage });
  const start = async (): Promise<void> => {
    const container = await ensureContainer(docker, wanted, options.signal);
    options.onPhase?.("sandbox-made");
    await startUntilReady(container, options.signal);
    await ensureJoined(docker, container, wanted);
  };
  try {
    try {
      await start();
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      // Its network was removed and made again meanwhile; the container knows the old one's id.
      await removeContainer(docker, wanted.name);
      await start();
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

/**
 * A sandbox whose network was taken away while it ran gets it back: with it all members have it
 * again, and go on. The rules are the namespace's, and held all the time.
 */
async function ensureJoined(
  docker: Docker,
  container: Docker.Container,
  { HostConfig, NetworkingConfig }: ContainerOptions,
): Promise<void> {
  const network = HostConfig?.NetworkMode ?? "";
  const { NetworkSettings } = await container.inspect();
  if (isJoined(NetworkSettings, network)) return;
  const EndpointConfig = NetworkingConfig?.EndpointsConfig?.[network];
  await docker.getNetwork(network).connect({ Container: container.id, EndpointConfig });
}
