import { createHash } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";
import { extract, pack, type Extract, type Header, type Pack } from "tar-stream";
import { OneloopError } from "../../protocol/errors.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import { randomIds } from "../../util/ids.ts";
import type { ServiceFile } from "../services.ts";
import type { Owner } from "../steps.ts";
import { unless } from "./client.ts";
import { commitContainer } from "./commit.ts";
import { removeContainer } from "./containers.ts";
import { label, type Names, type Role } from "./names.ts";

/** More is no configuration any more. All of it is in memory once while it is packed. */
export const maxFilesBytes = 256 * 1024 * 1024;

/** What the kernel, the engine or Oneloop has there. */
const reserved = [supervisorMount, "/proc", "/sys", "/dev"];

/** The permission bits of a path; nothing that comes as a file runs as somebody else. */
const permissionBits = 0o777;

/**
 * One tar archive of a service's files, with paths below `root`, for `putArchive`: the
 * engine unpacks it with the container's root as its own (chroot), so that a link of the image on the
 * way leads to nowhere else. A folder's archive may hold links, but no entry goes through one of them.
 *
 * @throws OneloopError `bad-input` for a path where no file can be, and for archives that are too
 * large or go through links
 */
export async function packFiles(files: readonly ServiceFile[], root = "/"): Promise<Buffer> {
  const out = new FilesPack(root);
  for (const file of files) {
    const path = checkedPath(file.path);
    if (file.content.kind === "bytes") out.file(path, file.mode, file.content.bytes);
    else await out.folder(path, file.content.archive);
  }
  return out.end();
}

/** The same path without `.`, `..` and double slashes. */
export function checkedPath(path: string): string {
  const plain = posix.normalize(path).replace(/(.)\/$/, "$1");
  const place = reserved.find((one) => isWithin(plain, one));
  if (!path.startsWith("/") || path.includes("\0") || plain === "/") {
    throw new OneloopError("bad-input", `${JSON.stringify(path)} is no path of a file.`);
  }
  if (place === undefined) return plain;
  throw new OneloopError(
    "bad-input",
    `No file can be put at ${plain}: ${place} is not the image's.`,
  );
}

class FilesPack {
  readonly #out: Pack = pack();
  readonly #whole = buffer(Readable.from(this.#out));
  readonly #links = new Set<string>();
  readonly #root: string;
  #bytes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  file(path: string, mode: number, bytes: Buffer): void {
    this.#count(bytes.length);
    this.#file(path, mode, bytes);
  }

  /** Its own owner, times and set-id bits stay behind. */
  async folder(path: string, archive: Readable): Promise<void> {
    const reader = extract();
    archive.once("error", (error) => reader.destroy(error)).pipe(reader);
    try {
      for await (const { header, bytes } of entriesOf(reader, (size) => this.#count(size))) {
        const below = posix.normalize(`/${header.name}`).replace(/(.)\/$/, "$1");
        // The folder itself keeps what the image says of it.
        if (below === "/") continue;
        const { type, mode, linkname } = header;
        const name = posix.join(path, below);
        if (type === "file") this.#file(name, mode, bytes);
        else if (type === "directory") this.#entry({ name, type, mode });
        else if (type === "symlink") {
          this.#entry({ name, type, mode, linkname: linkname ?? "" });
          this.#links.add(name);
        }
      }
    } finally {
      archive.destroy();
    }
  }

  end(): Promise<Buffer> {
    this.#out.finalize();
    return this.#whole;
  }

  #file(path: string, mode: number, bytes: Buffer): void {
    this.#entry({ name: path, type: "file", mode, size: bytes.length }, bytes);
  }

  #entry(header: Partial<Header> & Pick<Header, "name">, bytes?: Buffer): void {
    const { name, mode = 0 } = header;
    for (let folder = posix.dirname(name); folder !== "/"; folder = posix.dirname(folder)) {
      if (this.#links.has(folder)) {
        throw new OneloopError("bad-input", `${name} goes through the link ${folder}.`);
      }
    }
    // What comes later under the same name replaces a link.
    this.#links.delete(name);
    const plain = { uid: 0, gid: 0, mtime: new Date(0), mode: mode & permissionBits };
    const entry = { ...header, ...plain, name: posix.relative(this.#root, name) };
    if (bytes === undefined) this.#out.entry(entry);
    else this.#out.entry(entry, bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= maxFilesBytes) return;
    throw new OneloopError(
      "bad-input",
      `The files of a service have over ${maxFilesBytes / 1024 ** 2} MiB: build an image with them.`,
    );
  }
}

/** The entries of an archive, with the content of those that have one; `count` may refuse a size. */
async function* entriesOf(
  reader: Extract,
  count: (bytes: number) => void,
): AsyncGenerator<{ header: Header; bytes: Buffer }> {
  for await (const entry of reader) {
    count(entry.header.size);
    yield { header: entry.header, bytes: await buffer(entry) };
  }
}

/** Puts files into a container that was made and does not run. All are below `root`. */
export async function putFiles(
  container: Docker.Container,
  files: readonly ServiceFile[],
  { signal, root = "/" }: { signal: AbortSignal; root?: string },
): Promise<void> {
  if (files.length === 0) return;
  const archive = await packFiles(files, root);
  try {
    await container.putArchive(archive, { path: root, abortSignal: signal });
  } catch (error) {
    const said = (error as { json?: { message?: string } }).json?.message;
    if (said === undefined) throw error;
    const paths = files.map(({ path }) => path).join(", ");
    throw new OneloopError("engine-failed", `${paths} cannot be put in place: ${said}`, {
      cause: error,
    });
  }
}

export interface FilesImageParts {
  readonly docker: Docker;
  readonly names: Names;
  /** The run of this control plane: what a killed one left is removed by the next. */
  readonly run: string;
}

export interface FilesOf {
  readonly owner: Owner;
  readonly service: string;
  /** Id of the image without the files. */
  readonly imageId: string;
  readonly filesKey: string;
}

/**
 * An image with a service's files in it, for a root file system that is read-only: the engine lets
 * nobody put anything into such a container. It is made once, and goes with its workspace.
 *
 * @returns its name
 */
export async function ensureFilesImage(
  { docker, names, run }: FilesImageParts,
  of: FilesOf,
  { readFiles, signal }: { readFiles: () => Promise<readonly ServiceFile[]>; signal: AbortSignal },
): Promise<string> {
  const { owner, service, imageId } = of;
  const key = createHash("sha256").update(JSON.stringify(of)).digest("hex").slice(0, 32);
  const ref = names.filesImage(key);
  if ((await unless([404], docker.getImage(ref).inspect())) !== null) return ref;
  const { Config } = await docker.getImage(imageId).inspect();
  const role: Role = "job";
  const owned = names.containerLabels(owner);
  const container = await docker.createContainer({
    name: names.job(owner, "files", randomIds.id()),
    Image: imageId,
    // Never run; an image with nothing in it has no command, and the engine wants one.
    Entrypoint: ["/"],
    Labels: { ...owned, [label.role]: role, [label.run]: run },
    HostConfig: { NetworkMode: "none" },
  });
  try {
    await putFiles(container, await readFiles(), { signal });
    await commitContainer(docker, container, {
      name: { repository: names.filesRepository(), tag: key },
      config: { ...Config, Labels: { ...Config.Labels, ...owned, [label.service]: service } },
    });
  } finally {
    await removeContainer(docker, container.id);
  }
  return ref;
}

/** Removes an owner's images with files; of one service only, those that it does not use any more. */
export async function removeFilesImages(
  { docker, names }: Pick<FilesImageParts, "docker" | "names">,
  owner: Owner,
  of?: { readonly service: string; readonly used: string },
): Promise<void> {
  const labels = names.filter(owner);
  if (of !== undefined) labels.push(`${label.service}=${of.service}`);
  const images = await docker.listImages({ filters: { label: labels } });
  // One without a name was made by two steps at once, of which the later has it.
  const unused = images.filter(({ RepoTags }) => of === undefined || !RepoTags?.includes(of.used));
  // 409: a container has it, which is about to go.
  await Promise.all(unused.map(({ Id }) => unless([404, 409], docker.getImage(Id).remove())));
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

export interface SplitFiles {
  readonly inImage: readonly ServiceFile[];
  /** By the path of the volume. */
  readonly inVolumes: ReadonlyMap<string, readonly ServiceFile[]>;
}

/**
 * Apart by where they lie: in the image, or on a volume of the service. Each volume is a root of its
 * own, also where the container's root is read-only.
 *
 * @param volumes the paths at which they are mounted.
 */
export function splitFiles(files: readonly ServiceFile[], volumes: readonly string[]): SplitFiles {
  // The innermost is the one that is seen.
  const inner = volumes.toSorted((a, b) => b.length - a.length);
  const inImage: ServiceFile[] = [];
  const inVolumes = new Map<string, ServiceFile[]>();
  for (const file of files) {
    const volume = inner.find((one) => isWithin(posix.normalize(file.path), one));
    if (volume === undefined) inImage.push(file);
    else inVolumes.set(volume, [...(inVolumes.get(volume) ?? []), file]);
  }
  return { inImage, inVolumes };
}
