import type Docker from "dockerode";
import {
  SupervisorConfig,
  supervisorConfigVariable,
  supervisorPort,
} from "../../protocol/supervisor.ts";
import type { MemberSpec, Observed, ObservedMember } from "../observed.ts";
import type { Owner, ServiceOf, SupervisorAddress } from "../steps.ts";
import { homeVolume, sourceVolume } from "../member-spec.ts";
import { unless } from "./client.ts";
import { isEntered } from "./enter.ts";
import { parseEnv, type Images } from "./image-facts.ts";
import { coresOf } from "./mirror-options.ts";
import { label, ownerOfLabels, type Names, type Role } from "./names.ts";
import { isJoined } from "./network.ts";

type Inspected = Docker.ContainerInspectInfo;

export interface ObserveParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly images: Images;
}

/** What the engine holds of an owner, read back from the engine alone. */
export async function observe(parts: ObserveParts, owner: Owner): Promise<Observed> {
  const { docker, names } = parts;
  const filters = { label: names.filter(owner) };
  const [listed, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listVolumes({ filters }),
  ]);
  const inspected = await Promise.all(listed.map(({ Id }) => inspect(docker, Id)));
  const containers = inspected.filter((container) => container !== null);
  const of = (...roles: Role[]): Inspected[] =>
    containers.filter(({ Config }) => roles.includes(Config.Labels[label.role] as Role));
  const network = names.network(owner);
  const sandboxes = of("sandbox");
  const members = of("dev", "service").map((container) => {
    const sandbox = sandboxes.find(({ Id }) => sandboxOf(container) === Id) ?? null;
    return observedMember(parts, owner, { container, sandbox });
  });
  return {
    sandbox: sandboxState(
      sandboxes.filter((one) => !isMirrored(one)),
      network,
    ),
    members: await Promise.all(members),
    volumes: Volumes.flatMap(({ Labels }) => Labels[label.volume] ?? []).sort(),
    leftovers: of("job").map(({ Name }) => Name.replace(/^\//, "")),
  };
}

/** One member: two questions, where `observe` asks for each container that the owner has. */
export async function observeService(
  parts: ObserveParts,
  { owner, service }: ServiceOf,
): Promise<ObservedMember | null> {
  const { docker, names } = parts;
  const container = await inspect(docker, names.member(owner, service));
  if (container === null) return null;
  const sandbox = await inspect(docker, sandboxOf(container));
  return observedMember(parts, owner, { container, sandbox });
}

function inspect(docker: Docker, container: string): Promise<Inspected | null> {
  return unless([404], docker.getContainer(container).inspect());
}

/** The id of the sandbox that it joined when it was made. */
function sandboxOf({ HostConfig }: Inspected): string {
  return HostConfig.NetworkMode?.replace(/^container:/, "") ?? "";
}

/** Those of production's services come and go with them. */
function isMirrored({ Config }: Inspected): boolean {
  return Config.Labels[label.service] !== undefined;
}

/** The whole of all sandboxes: running only where each one runs, in its network. */
function sandboxState(sandboxes: readonly Inspected[], network: string): Observed["sandbox"] {
  const states = sandboxes.map(stateOf);
  if (states.length === 0) return "missing";
  if (states.every((state) => state === "running")) {
    const joined = sandboxes.every((one) => isJoined(one.NetworkSettings, network));
    return joined ? "running" : "cut-off";
  }
  return states.includes("exited") ? "exited" : "created";
}

function stateOf({ State }: Inspected): ObservedMember["state"] {
  if (State.Running) return "running";
  return State.Status === "created" ? "created" : "exited";
}

async function observedMember(
  parts: ObserveParts,
  owner: Owner,
  { container, sandbox }: { container: Inspected; sandbox: Inspected | null },
): Promise<ObservedMember> {
  const state = stateOf(container);
  const network = parts.names.network(owner);
  const isCutOff =
    sandbox === null || (isMirrored(sandbox) && sandboxState([sandbox], network) !== "running");
  return {
    service: container.Config.Labels[label.service] ?? "",
    state,
    entered: await isEntered(parts.docker, container),
    exitCode: state === "exited" ? container.State.ExitCode : null,
    outOfMemory: container.State.OOMKilled,
    ...(isCutOff ? { isCutOff } : {}),
    runs: runsOf(parts, owner, container),
  };
}

/** What a member runs, as `memberSpecs` says it of a plan. */
function runsOf({ names, images }: ObserveParts, owner: Owner, container: Inspected): MemberSpec {
  const { Config, HostConfig } = container;
  const env = parseEnv(Config.Env);
  const supervised = env[supervisorConfigVariable];
  const config = supervised === undefined ? null : SupervisorConfig.parse(JSON.parse(supervised));
  const volumes = container.Mounts.flatMap(({ Name, Destination }) => {
    const volume = names.plannedVolume(owner, Name ?? "");
    return volume === null ? [] : [{ volume, path: Destination }];
  });
  // An image with a service's files in it stands in for the plan's.
  const withFiles = Config.Image.startsWith(`${names.filesRepository()}:`);
  return {
    image: withFiles ? (Config.Labels[label.image] ?? "") : images.planned(Config.Image),
    command: config?.imageCommand ?? [...[Config.Entrypoint ?? []].flat(), ...(Config.Cmd ?? [])],
    args: null,
    env: config?.env ?? env,
    memoryLimitBytes: HostConfig.Memory || null,
    cpuLimitCores: coresOf(HostConfig),
    readOnlyRoot: HostConfig.ReadonlyRootfs ?? false,
    mounts: volumes
      .filter(({ volume }) => volume !== sourceVolume && volume !== homeVolume)
      .sort((a, b) => a.path.localeCompare(b.path)),
    sourcePath: volumes.find(({ volume }) => volume === sourceVolume)?.path ?? null,
  };
}

/** Where the dev service's supervisor listens, from one call; `null` when it does not run. */
export async function supervisorAddress(
  docker: Docker,
  names: Names,
  owner: Owner,
): Promise<SupervisorAddress | null> {
  const running = await docker.listContainers({ filters: { label: names.filter(owner) } });
  const role: Role = "dev";
  const dev = running.find(({ Labels }) => Labels[label.role] === role);
  const sandbox = running.find(({ Id }) => dev?.HostConfig.NetworkMode === `container:${Id}`);
  const host = sandbox?.NetworkSettings.Networks[names.network(owner)]?.IPAddress;
  return host === undefined || host === "" ? null : { host, port: supervisorPort };
}

/** Owners of at least one container, network or volume of the installation. */
export async function owners(docker: Docker, names: Names): Promise<Owner[]> {
  const filters = { label: names.installationFilter() };
  const [containers, networks, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  const found = new Map<string, Owner>();
  for (const { Labels } of [...containers, ...networks, ...Volumes]) {
    const owner = ownerOfLabels(Labels ?? {});
    if (owner !== null) found.set(`${owner.kind}/${owner.id}`, owner);
  }
  return [...found.values()];
}
