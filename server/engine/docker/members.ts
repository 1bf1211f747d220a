import type Docker from "dockerode";
import type { PlannedService } from "../../protocol/service.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { ImageFacts, SupervisorSetup, WorkspaceSpec } from "../engine.ts";
import {
  argumentVector,
  environmentOf,
  homeVolume,
  imageOf,
  sourceVolume,
  supervisorConfig,
} from "../member-spec.ts";
import { boundedLog, type ContainerOptions } from "./containers.ts";
import { formatEnv } from "./image-facts.ts";
import { label, type Names, type Role } from "./names.ts";
import { supervisorEnvironment, supervisorProgram } from "./supervisor-process.ts";
import { readOnlyVolume, volumeMount } from "./volumes.ts";

/** A fork bomb ends here and not at the machine's limit; large test suites use hundreds. */
const memberPids = 4096;

/**
 * NET_RAW: with it a neighbour can take over an address and evade rules. MKNOD: no program of a
 * workspace makes devices. The engine's other defaults stay: apt and sudo in the workspace image,
 * and the entry points of database images, need them as root inside. For the same reason
 * no-new-privileges is off: sudo is a set-uid program.
 */
const droppedCapabilities = ["MKNOD", "NET_RAW"];

/** The tmpfs of the supervisor's sockets and keys, inside its read-only volume. */
const runFolder = `${supervisorMount}/run`;
const runFolderBytes = 16 * 1024 * 1024;

/** The static init of the volume reaps as PID 1. */
const devCommand = [`${supervisorMount}/bin/init`, "-g", "--", ...supervisorProgram];

export interface MemberParts {
  readonly names: Names;
  readonly supervisorVolume: string;
  /** The engine's reference for a plan's image. */
  readonly reference: (image: string) => string;
  /** By the name of the service. */
  readonly images: ReadonlyMap<string, ImageFacts>;
  readonly setup: SupervisorSetup;
}

/** From what the container of a service is created; the dev service runs the supervisor instead. */
export function memberOptions(
  parts: MemberParts,
  spec: WorkspaceSpec,
  { service, sandboxId }: { service: PlannedService; sandboxId: string },
): ContainerOptions {
  const { names, images, setup } = parts;
  const { owner } = spec;
  const isDev = service.name === spec.plan.devService;
  const role: Role = isDev ? "dev" : "service";
  const facts = imageOf(service, images);
  const own = isDev
    ? devOptions(supervisorConfig(spec, facts, setup), facts)
    : {
        Entrypoint: argumentVector(service, facts),
        Env: formatEnv(environmentOf(service, facts, null)),
      };
  return {
    name: names.member(owner, service.name),
    Image: parts.reference(service.image),
    Cmd: [],
    ...own,
    ...(service.user === null ? {} : { User: service.user }),
    Labels: {
      ...names.containerLabels(owner),
      [label.role]: role,
      [label.service]: service.name,
    },
    HostConfig: {
      // By id: a member of a sandbox that was replaced must be replaced too.
      NetworkMode: `container:${sandboxId}`,
      Init: false,
      CapDrop: droppedCapabilities,
      PidsLimit: memberPids,
      ...memoryLimit(service.memoryLimitBytes),
      NanoCpus: Math.round((service.cpuLimitCores ?? 0) * 1e9),
      ReadonlyRootfs: service.readOnlyRoot,
      RestartPolicy: { Name: "no" },
      LogConfig: boundedLog,
      // In every member: nothing can be mounted later, when somebody wants a shell there.
      Mounts: mountsOf(parts, spec, service),
      Tmpfs: { [runFolder]: runFolderOptions(facts.user) },
    },
  };
}

function devOptions(
  config: ReturnType<typeof supervisorConfig>,
  facts: ImageFacts,
): Pick<Docker.ContainerCreateOptions, "Entrypoint" | "Env" | "WorkingDir"> {
  return {
    Entrypoint: devCommand,
    WorkingDir: "/",
    Env: formatEnv(supervisorEnvironment(config, facts.env)),
  };
}

/** Swap would make a limit of production's look larger than it is. */
function memoryLimit(bytes: number | null): { Memory?: number; MemorySwap?: number } {
  return bytes === null ? {} : { Memory: bytes, MemorySwap: bytes };
}

function runFolderOptions({ uid, gid }: ImageFacts["user"]): string {
  return `rw,nosuid,nodev,noexec,mode=0711,uid=${uid},gid=${gid},size=${runFolderBytes}`;
}

/** Whole volumes only: a path of a tree that a user writes is never a mount's source. */
function mountsOf(
  { names, supervisorVolume, images }: MemberParts,
  spec: WorkspaceSpec,
  service: PlannedService,
): Docker.MountSettings[] {
  const { owner, plan } = spec;
  const mounts = service.mounts.map(({ volume, path }) =>
    volumeMount(names, { owner, volume, path }),
  );
  if (service.sourcePath !== null) {
    mounts.push(volumeMount(names, { owner, volume: sourceVolume, path: service.sourcePath }));
  }
  if (service.name === plan.devService) {
    const { home } = imageOf(service, images);
    // A devfile that mounts a volume of its own at the home folder has its way.
    if (!mounts.some(({ Target }) => Target === home)) {
      mounts.push(volumeMount(names, { owner, volume: homeVolume, path: home }));
    }
  }
  return [...mounts, readOnlyVolume(supervisorVolume, supervisorMount)];
}
