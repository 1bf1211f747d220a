import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { PlannedService } from "../../protocol/service.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { ServiceFile, ServiceStart } from "../services.ts";
import type { ServiceOf, StepOptions, WorkspaceSpec } from "../steps.ts";
import { mirroredService } from "../member-spec.ts";
import { statusOf, unless } from "./client.ts";
import type { EngineImage, Images } from "./image-facts.ts";
import { makeMember } from "./make-member.ts";
import { changingFolders, ensureHolder } from "./change-files.ts";
import type { MemberFiles } from "./members.ts";
import type { Names } from "./names.ts";
import { endWith } from "./output.ts";
import { stopContainer } from "./stopping.ts";
import { ensureSandboxOf, type SandboxParts } from "./sandboxes.ts";
import {
  ensureFilesImage,
  putFiles,
  removeFilesImages,
  splitFiles,
  type SplitFiles,
} from "./service-files.ts";

export interface ServiceParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly images: Images;
  readonly sandboxes: SandboxParts;
  /** The run of this control plane. */
  readonly run: string;
  readonly supervisorVolume: string;
}

/** What a service that is started again has to end itself where the plan does not say. */
const defaultGraceSeconds = 10;

/** Its sandbox and its container with its files, started. */
export async function ensureService(
  parts: ServiceParts,
  { spec, which }: { spec: WorkspaceSpec; which: ServiceStart },
  options: StepOptions,
): Promise<{ started: boolean }> {
  const { docker, names, images, supervisorVolume } = parts;
  const { signal } = options;
  const service = mirroredService(spec.plan, which.service);
  const use = { user: service.user, reader: spec.reader };
  const image =
    images.recent(service.image, use) ?? (await images.ensure(service.image, use, options));
  checkPlatform(service, image);
  await ensureSandboxOf(parts.sandboxes, { spec, service }, { signal });
  checkFiles(service);
  const volumes = [...service.mounts.map(({ path }) => path), ...image.volumes];
  using read = new FilesOnce(hasFiles(service) ? which.readFiles : noFiles, volumes);
  const { filesKey } = which;
  const changing = changingFolders(service, image, which.changing ?? []);
  const given = { spec, service, image, filesKey, read, signal };
  const files = { ...(await memberFiles(parts, given)), changing };
  const member = await makeMember(
    docker,
    {
      names,
      supervisorVolume,
      reference: (ref) => images.reference(ref),
      images: new Map([[service.name, image]]),
      setup: null,
    },
    { spec, service, files, signal },
  );
  if (!member.hasRun) {
    // Also again where a killed run may have left a half: the same files are the same.
    const { inImage, inVolumes } = await read.split();
    if (files.image === null) await putFiles(member.container, inImage, { signal });
    for (const [root, own] of inVolumes) {
      await putFiles(member.container, own, { signal, root });
    }
    if (files.image !== null) {
      const of = { service: service.name, used: files.image };
      await removeFilesImages(parts, spec.owner, of);
    }
  }
  if (changing.length > 0) {
    const of = { owner: spec.owner, service: service.name, imageId: image.id };
    await ensureHolder(parts, { ...of, folders: changing }, signal);
  }
  if (member.isRunning && which.again !== true) return { started: false };
  await start(service, member, signal);
  return { started: true };
}

function hasFiles({ mirror }: PlannedService): boolean {
  return (mirror?.files ?? []).length > 0;
}

/** Where the files go: into the container itself, where its root can be written. */
async function memberFiles(
  parts: ServiceParts,
  work: {
    spec: WorkspaceSpec;
    service: PlannedService;
    image: EngineImage;
    filesKey: string;
    read: FilesOnce;
    signal: AbortSignal;
  },
): Promise<Omit<MemberFiles, "changing">> {
  const { spec, service, image, filesKey, read, signal } = work;
  if (!service.readOnlyRoot || !hasFiles(service)) return { key: filesKey, image: null };
  const of = { owner: spec.owner, service: service.name, imageId: image.id, filesKey };
  const readFiles = async (): Promise<readonly ServiceFile[]> => (await read.split()).inImage;
  const made = await ensureFilesImage(parts, of, { readFiles, signal });
  return { key: filesKey, image: made };
}

/** A service's files, read where the first asks for them; what nobody took is let go of in the end. */
class FilesOnce implements Disposable {
  readonly #read: ServiceStart["readFiles"];
  readonly #volumes: readonly string[];
  readonly #archives: Readable[] = [];
  #split: Promise<SplitFiles> | null = null;

  constructor(read: ServiceStart["readFiles"], volumes: readonly string[]) {
    this.#read = read;
    this.#volumes = volumes;
  }

  split(): Promise<SplitFiles> {
    this.#split ??= this.#readAll();
    return this.#split;
  }

  async #readAll(): Promise<SplitFiles> {
    const files = await this.#read();
    for (const { content } of files) {
      if (content.kind !== "folder") continue;
      // Whoever unpacks it hears of its errors, too; one that nobody unpacks must end nothing.
      content.archive.on("error", () => undefined);
      this.#archives.push(content.archive);
    }
    return splitFiles(files, this.#volumes);
  }

  [Symbol.dispose](): void {
    for (const archive of this.#archives) archive.destroy();
  }
}

async function noFiles(): Promise<readonly ServiceFile[]> {
  return [];
}

/** @throws OneloopError `image-unavailable` where the image is for other machines than production's. */
function checkPlatform({ name, image, mirror }: PlannedService, { platform }: EngineImage): void {
  const wanted = mirror?.platform?.split("/") ?? [];
  const there = platform.split("/");
  // A variant that one of them does not name is the usual one.
  const same = wanted.every((part, index) => (there[index] ?? part) === part);
  if (same) return;
  throw new OneloopError(
    "image-unavailable",
    `${name} is for ${wanted.join("/")}, and the engine's image ${image} is for ${platform}.`,
  );
}

/** @throws OneloopError `bad-input` for a file that nobody would see. */
function checkFiles({ name, mirror }: PlannedService): void {
  for (const { path } of mirror?.files ?? []) {
    const over = mirror?.tmpfs.find((one) => `${path}/`.startsWith(`${one.path}/`));
    if (over === undefined) continue;
    throw new OneloopError(
      "bad-input",
      `${name} wants the file ${path} in ${over.path}, which is in memory and empty at each start.`,
    );
  }
}

async function start(
  { name, mirror }: PlannedService,
  { container, isRunning }: { container: Docker.Container; isRunning: boolean },
  signal: AbortSignal,
): Promise<void> {
  const grace = Math.ceil(mirror?.stopGraceSeconds ?? defaultGraceSeconds);
  if (isRunning) {
    await stopContainer(container, { graceSeconds: grace, signal });
  }
  try {
    await unless([304], container.start({ abortSignal: signal }));
  } catch (error) {
    // The engine's word for a command that is not there or may not be run.
    if (statusOf(error) !== 400 && statusOf(error) !== 404) throw error;
    const said = (error as { json?: { message?: string } }).json?.message ?? "";
    throw new OneloopError(
      "container-exited",
      `The command of ${name} cannot be started: ${reasonOf(said)}`,
      { cause: error },
    );
  }
}

/** The last part of what runtime, shim and engine each put before it. */
function reasonOf(said: string): string {
  const reason = /starting container process caused: (.*)$/s.exec(said)?.[1] ?? said;
  return reason
    .replace(/: unknown$/, "")
    .trim()
    .slice(0, 300);
}

/** Ends one service's container and keeps it. */
export async function stopService(
  { docker, names }: Pick<ServiceParts, "docker" | "names">,
  { owner, service }: ServiceOf,
  { graceMs, signal }: StepOptions & { graceMs: number },
): Promise<void> {
  const container = docker.getContainer(names.member(owner, service));
  await stopContainer(container, { graceSeconds: Math.ceil(graceMs / 1000), signal });
}

/**
 * Runs a command in a session of its own, and ends all of it when nobody waits any more: the engine
 * would let it go on for ever, and each check of a hanging service would leave one more. That nobody
 * waits is seen by the standard input, which ends with the connection; the command's own is empty.
 */
const watched = `exec 3<&0
${supervisorMount}/bin/setsid "$@" </dev/null >/dev/null 2>&1 3<&- & c=$!
( read -r _ <&3; kill -KILL -$c ) >/dev/null 2>&1 & w=$!
exec 3<&- 2>/dev/null; wait $c; s=$?; kill -KILL $w; wait $w; exit $s`;

/** What loses its parent is the init's, as few services' own commands reap. */
const checkCommand = [
  ...[`${supervisorMount}/bin/init`, "-s", "--"],
  ...[`${supervisorMount}/bin/sh`, "-c", watched, "check"],
];

export async function execInService(
  { docker, names }: Pick<ServiceParts, "docker" | "names">,
  which: ServiceOf & { readonly command: readonly string[] },
  { signal }: StepOptions,
): Promise<number> {
  const { owner, service, command } = which;
  const container = docker.getContainer(names.member(owner, service));
  const create = container.exec({
    Cmd: [...checkCommand, ...command],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    abortSignal: signal,
  });
  const exec = await unless([404, 409], create);
  if (exec === null) {
    throw new OneloopError("workspace-not-running", `${service} does not run.`);
  }
  const stream = await exec.start({ hijack: true, stdin: true, abortSignal: signal });
  const output = endWith(stream, signal);
  try {
    for await (const _ of output);
  } finally {
    output.destroy();
  }
  signal.throwIfAborted();
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== null) return ExitCode;
  throw new OneloopError("workspace-not-running", `${service} ended while it was asked.`);
}
