import { posix } from "node:path";
import { Readable, type Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { OneloopError } from "../../protocol/errors.ts";
import type { PlannedService } from "../../protocol/service.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { FileChanges } from "../services.ts";
import type { Owner, ServiceOf } from "../steps.ts";
import { unless } from "./client.ts";
import { boundedLog, ensureContainer, type ContainerOptions } from "./containers.ts";
import type { EngineImage } from "./image-facts.ts";
import { label, type Names, type Role } from "./names.ts";
import { attachWithInput, chunksOf, endWith } from "./output.ts";
import { checkedPath, isWithin } from "./service-files.ts";
import { changingMount, readOnlyVolume } from "./volumes.ts";

interface ChangeParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly supervisorVolume: string;
}

/**
 * Folders that no volume can take the place of: the whole root, what the kernel and the engine have
 * there, and those that hold the programs and libraries of the image.
 */
const wholeFolders: ReadonlySet<string> = new Set([
  ...["/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32"],
  ...["/media", "/mnt", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr"],
  ...["/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin"],
  ...["/usr/share", "/var", "/var/lib", supervisorMount],
]);

/** Of the folders that are to be changed in a service, those that are volumes of its read-only root. */
export function changingFolders(
  { readOnlyRoot, mounts, mirror }: PlannedService,
  { volumes }: Pick<EngineImage, "volumes">,
  folders: readonly string[],
): string[] {
  if (!readOnlyRoot) return [];
  const taken = [
    ...mounts.map(({ path }) => path),
    ...(mirror?.tmpfs ?? []).map(({ path }) => path),
    ...volumes,
  ];
  return folders.filter(
    (folder) => !wholeFolders.has(folder) && !taken.some((one) => isWithin(folder, one)),
  );
}

interface Held {
  readonly owner: Owner;
  readonly service: string;
  readonly imageId: string;
  readonly folders: readonly string[];
}

const busybox = `${supervisorMount}/bin/busybox`;

/** Removes what it reads: names that end with a NUL. Nothing else ever runs in a holder. */
const removal = [busybox, "xargs", "-0", busybox, "rm", "-rf", "--"];

/** A number for each path is enough. */
const maxSaidChars = 64 * 1024;

/**
 * The container through which the volumes of a service's read-only root are written: the engine
 * writes into no container that may not. It runs only to remove something, without a network, and
 * sees nothing but these volumes. Volumes of images before are removed.
 */
export async function ensureHolder(
  { docker, names, supervisorVolume }: ChangeParts,
  { owner, service, imageId, folders }: Held,
  signal: AbortSignal,
): Promise<Docker.Container> {
  const role: Role = "holder";
  const mounts = folders.map((path) => changingMount(names, { owner, service, imageId, path }));
  const options: ContainerOptions = {
    name: names.holder(owner, service),
    Image: imageId,
    Entrypoint: [...removal],
    Cmd: [],
    User: "0:0",
    WorkingDir: "/",
    OpenStdin: true,
    StdinOnce: true,
    Healthcheck: { Test: ["NONE"] },
    Labels: { ...names.containerLabels(owner), [label.role]: role },
    HostConfig: {
      NetworkMode: "none",
      CapDrop: ["ALL"],
      // Folders may be somebody else's than root's.
      CapAdd: ["DAC_OVERRIDE"],
      PidsLimit: 64,
      RestartPolicy: { Name: "no" },
      LogConfig: boundedLog,
      Mounts: [
        ...mounts.map((mount) => ({ ...mount, ReadOnly: false })),
        readOnlyVolume(supervisorVolume, supervisorMount),
      ],
    },
  };
  const { container, found } = await ensureContainer(docker, options, { signal });
  if (found === null) {
    const used = new Set(mounts.map(({ Source }) => Source));
    await removeUnused({ docker, names }, { owner, service }, used);
  }
  return container;
}

async function removeUnused(
  { docker, names }: Pick<ChangeParts, "docker" | "names">,
  { owner, service }: ServiceOf,
  used: ReadonlySet<string>,
): Promise<void> {
  const filters = { label: [...names.filter(owner), `${label.changing}=${service}`] };
  const { Volumes } = await docker.listVolumes({ filters });
  const unused = Volumes.filter(({ Name }) => !used.has(Name));
  // 409: a container has it still, which goes with the workspace.
  await Promise.all(unused.map(({ Name }) => unless([404, 409], docker.getVolume(Name).remove())));
}

/**
 * Changes files of a service's container. The engine unpacks with the container's root as its own, so
 * that no link leads out of it; and the folders on a file's way below its `root` are in the archive
 * too, so that a link in the place of one is replaced and not followed.
 */
export async function changeFiles(
  { docker, names }: Pick<ChangeParts, "docker" | "names">,
  { which, changes }: { which: ServiceOf; changes: FileChanges },
  signal: AbortSignal,
): Promise<void> {
  const { owner, service } = which;
  const container = docker.getContainer(names.member(owner, service));
  const found = await unless([404], container.inspect());
  if (found === null) throw withoutContainer(service);
  await changeFound({ docker, names }, { which, found, changes }, signal);
}

export function withoutContainer(service: string): OneloopError {
  return new OneloopError("workspace-not-running", `${service} has no container.`);
}

/** As `changeFiles`, of a container as the engine said it is. */
export async function changeFound(
  { docker, names }: Pick<ChangeParts, "docker" | "names">,
  work: { which: ServiceOf; found: Docker.ContainerInspectInfo; changes: FileChanges },
  signal: AbortSignal,
): Promise<void> {
  const { which, found, changes } = work;
  const { owner, service } = which;
  const container = docker.getContainer(found.Id);
  const { files, removed } = changes;
  const isReadOnly = found.HostConfig.ReadonlyRootfs === true;
  if (isReadOnly) {
    const volumes = found.Mounts.filter(({ Name }) => isChanging(found, Name ?? ""));
    const places = [...files.map(({ path }) => path), ...removed];
    const outside = places.find(
      (path) => !volumes.some(({ Destination }) => isWithin(path, Destination)),
    );
    if (outside !== undefined) {
      throw new OneloopError("bad-input", `${outside} is in the read-only root of ${service}.`);
    }
  }
  const holder = docker.getContainer(names.holder(owner, service));
  if (removed.length > 0) {
    const exitCode = isReadOnly
      ? await removeByHolder(holder, removed, signal)
      : await removeByExec(container, removed, signal);
    if (exitCode !== 0) {
      throw new OneloopError("bad-input", `${removed.join(", ")} cannot be removed in ${service}.`);
    }
  }
  if (files.length === 0) return;
  const archive = await packChanges(files);
  const into = isReadOnly ? holder : container;
  await into.putArchive(archive, { path: "/", abortSignal: signal });
}

/** Whether a volume of a container is one for changes: what its mounts were made from says it. */
function isChanging({ HostConfig }: Docker.ContainerInspectInfo, name: string): boolean {
  return (HostConfig.Mounts ?? []).some(
    ({ Source, VolumeOptions }) =>
      Source === name && VolumeOptions?.Labels?.[label.changing] !== undefined,
  );
}

async function packChanges(files: FileChanges["files"]): Promise<Buffer> {
  const out = pack();
  const folders = new Set<string>();
  for (const { path, root, mode, uid, gid, modifiedMs, content } of files) {
    const plain = checkedPath(path);
    const owner = { uid, gid, mtime: new Date(modifiedMs) };
    for (const folder of foldersBetween(root, plain)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      out.entry({ ...owner, name: folder.slice(1), type: "directory", mode: 0o755 });
    }
    const entry = { ...owner, name: plain.slice(1), mode: mode & 0o777 };
    if (content.kind === "link") out.entry({ ...entry, type: "symlink", linkname: content.to });
    else out.entry({ ...entry, type: "file", size: content.bytes.length }, content.bytes);
  }
  out.finalize();
  return buffer(Readable.from(out));
}

/** Below `root`, from the outside in. */
function foldersBetween(root: string, path: string): string[] {
  const folders: string[] = [];
  let folder = posix.dirname(path);
  while (folder !== root && isWithin(folder, root === "/" ? "" : root) && folder !== "/") {
    folders.unshift(folder);
    folder = posix.dirname(folder);
  }
  return folders;
}

/** Removes what can be removed, and prints whose that is which cannot, and whose its folder is. */
const trial = [busybox, "xargs", "-0", busybox, "sh", "-c"].concat(
  `b=${busybox}; for p; do $b rm -rf -- "$p" 2>/dev/null || $b stat -c %u "$p" "\${p%/*}"; done`,
  "sh",
);

/**
 * As root, within the service's own capabilities: without any of them that is only what is root's,
 * and the rest is removed by whom it belongs to.
 */
async function removeByExec(
  container: Docker.Container,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const asRoot = { user: "0:0", paths };
  const { output } = await runExec(container, { ...asRoot, command: trial }, signal);
  const owners = new Set(output.split("\n").filter((line) => /^[1-9]\d*$/.test(line)));
  if (output === "") return 0;
  for (const owner of owners) {
    const user = `${owner}:${owner}`;
    await runExec(container, { user, paths, command: removal }, signal);
  }
  return (await runExec(container, { ...asRoot, command: removal }, signal)).exitCode;
}

async function runExec(
  container: Docker.Container,
  work: { readonly user: string; readonly command: readonly string[]; paths: readonly string[] },
  signal: AbortSignal,
): Promise<{ exitCode: number; output: string }> {
  const { user, command, paths } = work;
  const create = container.exec({
    Cmd: [...command],
    User: user,
    WorkingDir: "/",
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    abortSignal: signal,
  });
  const exec = await unless([404, 409], create);
  if (exec === null) throw new OneloopError("workspace-not-running", "It does not run.");
  const stream = await exec.start({ hijack: true, stdin: true, abortSignal: signal });
  const output = await give(stream, paths, signal);
  return { exitCode: (await exec.inspect()).ExitCode ?? 1, output };
}

async function removeByHolder(
  holder: Docker.Container,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const stream = await attachWithInput(holder);
  stream.on("error", () => stream.destroy());
  await holder.start({ abortSignal: signal });
  const ended = holder.wait({ abortSignal: signal }) as Promise<{ StatusCode: number }>;
  ended.catch(() => undefined);
  await give(stream, paths, signal);
  return (await ended).StatusCode;
}

/** Gives the paths, and the beginning of what it printed when that has ended. */
async function give(
  stream: Duplex | NodeJS.ReadWriteStream,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const output = endWith(stream as Duplex, signal);
  stream.end(paths.map((path) => `${checkedPath(path)}\0`).join(""));
  let said = "";
  try {
    for await (const { data } of chunksOf(output)) {
      if (said.length < maxSaidChars) said += data.toString("utf8");
    }
  } finally {
    output.destroy();
  }
  signal.throwIfAborted();
  return said;
}
