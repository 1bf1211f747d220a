import type Docker from "dockerode";
import type { PlannedService } from "../../protocol/service.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { SupervisorSetup } from "../engine.ts";
import type { ImageFacts } from "../images.ts";
import type { WorkspaceSpec } from "../steps.ts";
import {
  argumentVector,
  environmentOf,
  homeVolume,
  imageOf,
  isMirrored,
  setupFor,
  sourceVolume,
  supervisorConfig,
} from "../member-spec.ts";
import { boundedLog, type ContainerOptions } from "./containers.ts";
import { formatEnv, type EngineImage } from "./image-facts.ts";
import { capabilities, cpuLimit, memoryLimit, tmpfsOptions } from "./mirror-options.ts";
import { label, type Names, type Role } from "./names.ts";
import { supervisorEnvironment, supervisorProgram } from "./supervisor-process.ts";
import {
  anonymousMount,
  changingMount,
  planMount,
  readOnlyVolume,
  volumeMount,
} from "./volumes.ts";

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
  readonly images: ReadonlyMap<string, EngineImage>;
  /** Of the dev service; the devfile's others have its defaults. */
  readonly setup: SupervisorSetup | null;
}

/** What a mirrored service's container is made from beside its plan and image. */
export interface MemberFiles {
  /** What its files are known by. */
  readonly key: string;
  /** An image with the files in it, instead of its own; null: they are put into the container. */
  readonly image: string | null;
  /** Folders of a read-only root whose files are changed from outside. */
  readonly changing: readonly string[];
}

/** From what the container of a service is created; the dev service runs the supervisor instead. */
export function memberOptions(
  parts: MemberParts,
  spec: WorkspaceSpec,
  made: { service: PlannedService; sandboxId: string; files?: MemberFiles | undefined },
): ContainerOptions {
  const { service, sandboxId, files } = made;
  const { names, images, setup } = parts;
  const { owner } = spec;
  const isDev = service.name === spec.plan.devService;
  const role: Role = isDev ? "dev" : "service";
  const facts = imageOf(service, images);
  const own =
    isDev && setup !== null
      ? devOptions(supervisorConfig(spec, facts, setup), facts)
      : {
          Entrypoint: argumentVector(service, facts),
          Env: formatEnv(environmentOf(service, facts, setupFor(spec.plan, service, setup))),
        };
  const mirror = isMirrored(spec.plan, service) ? service.mirror : undefined;
  const grace = mirror?.stopGraceSeconds ?? null;
  return {
    name: names.member(owner, service.name),
    Image: files?.image ?? parts.reference(service.image),
    Cmd: [],
    ...own,
    ...mirroredOptions(mirror),
    ...(service.user === null ? {} : { User: service.user }),
    Labels: {
      ...names.containerLabels(owner),
      [label.role]: role,
      [label.service]: service.name,
      ...(files === undefined
        ? {}
        : {
            [label.files]: files.key,
            [label.image]: service.image,
            // The same reference may lead to another image later.
            [label.imageId]: facts.id,
          }),
      ...(grace === null ? {} : { [label.grace]: String(Math.ceil(grace)) }),
    },
    HostConfig: {
      // By id: a member of a sandbox that was replaced must be replaced too.
      NetworkMode: `container:${sandboxId}`,
      Init: false,
      ...(mirror === undefined ? { CapDrop: droppedCapabilities } : capabilities(mirror)),
      PidsLimit: memberPids,
      ...memoryLimit(service.memoryLimitBytes),
      ...cpuLimit(service.cpuLimitCores),
      ReadonlyRootfs: service.readOnlyRoot,
      RestartPolicy: { Name: "no" },
      LogConfig: boundedLog,
      // In every member: nothing can be mounted later, when somebody wants a shell there.
      Mounts: [
        ...mountsOf(parts, spec, service),
        ...(files?.changing ?? []).map((path) =>
          changingMount(names, { owner, service: service.name, imageId: facts.id, path }),
        ),
      ],
      Tmpfs: {
        ...(mirror === undefined ? {} : tmpfsOptions(mirror, service)),
        [runFolder]: runFolderOptions(facts.user),
      },
    },
  };
}

/** Its probes are the plan's: a check of the image's own would run beside them, for nobody. */
function mirroredOptions(
  mirror: PlannedService["mirror"],
): Pick<Docker.ContainerCreateOptions, "Healthcheck" | "WorkingDir" | "StopTimeout"> {
  if (mirror === undefined) return {};
  const { workingDir, stopGraceSeconds } = mirror;
  return {
    Healthcheck: { Test: ["NONE"] },
    ...(workingDir === null ? {} : { WorkingDir: workingDir }),
    ...(stopGraceSeconds === null ? {} : { StopTimeout: Math.ceil(stopGraceSeconds) }),
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
  const mounts = service.mounts.map((mount) => planMount(names, spec, { service, mount }));
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
  const taken = new Set([
    ...mounts.map(({ Target }) => Target),
    ...(service.mirror?.tmpfs ?? []).map(({ path }) => path),
  ]);
  // The engine's own for these would be lost with the container.
  for (const path of imageOf(service, images).volumes) {
    if (!taken.has(path))
      mounts.push(anonymousMount(names, { owner, service: service.name, path }));
  }
  return [...mounts, readOnlyVolume(supervisorVolume, supervisorMount)];
}
