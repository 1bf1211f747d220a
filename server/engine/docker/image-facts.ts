import { posix } from "node:path";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import tar from "tar-stream";
import { OneloopError } from "../../protocol/errors.ts";
import {
  isOwnImage,
  parseImageReference,
  type ImageReference,
} from "../../protocol/image-reference.ts";
import { deadline } from "../../util/deadline.ts";
import type { ImageFacts, ImageReader } from "../images.ts";
import type { StepOptions } from "../steps.ts";
import { statusOf, unless } from "./client.ts";
import { missingImage, removeContainer } from "./containers.ts";
import { filesRepositoryPrefix, label, type Names, type Role } from "./names.ts";
import { homeOf, resolveUser, type AccountFiles } from "./passwd.ts";
import { authOf, refusedPull, type Registries } from "./registries.ts";

/** Two small files of an image that is on the disk. */
const accountsTimeoutMs = 60_000;

/** A reference may be given another image at any time; within one start it is asked once. */
const recentMs = 10_000;

/** A passwd file larger than this is not one. */
const maxFileBytes = 1024 * 1024;

/** What a plan calls the default image; each installation's engine knows which one that is. */
const defaultImage = "oneloop/workspace:latest";

/** Who an image is looked up for. */
export interface ImageUse {
  /** Instead of the image's own `USER`; `null` for that. */
  readonly user: string | null;
  /** Absent: Oneloop itself. */
  readonly reader?: ImageReader | undefined;
}

/** What the engine itself needs of an image, too. */
export interface EngineImage extends ImageFacts {
  /** Absolute paths that it declares as volumes. */
  readonly volumes: readonly string[];
  /** Such as `linux/arm64/v8`. */
  readonly platform: string;
}

/** What images say of themselves; their account files are read once for each image id. */
export class Images {
  readonly #docker: Docker;
  readonly #names: Names;
  readonly #registries: Registries;
  readonly #defaultRef: string;
  readonly #accounts = new Map<string, Promise<AccountFiles>>();
  /** By reference and use, with the time after which they are asked again. */
  readonly #recent = new Map<string, { readonly facts: EngineImage; readonly untilMs: number }>();

  /** @param parts.defaultRef the image that this installation built for `oneloop/workspace:latest`. */
  constructor(parts: {
    readonly docker: Docker;
    readonly names: Names;
    readonly registries: Registries;
    readonly defaultRef: string;
  }) {
    this.#docker = parts.docker;
    this.#names = parts.names;
    this.#registries = parts.registries;
    this.#defaultRef = parts.defaultRef;
  }

  /** The engine's reference for a plan's. */
  reference(image: string): string {
    return image === defaultImage ? this.#defaultRef : image;
  }

  /** The plan's reference for the engine's. */
  planned(reference: string): string {
    return reference === this.#defaultRef ? defaultImage : reference;
  }

  /**
   * The last gate before a reference becomes a part of a URL of the engine's, whatever read it.
   *
   * @throws OneloopError `image-unavailable`, `image-not-found`, `image-denied`
   */
  async ensure(image: string, use: ImageUse, options: StepOptions): Promise<EngineImage> {
    const ref = this.reference(image);
    const parsed = parseImageReference(ref);
    // Such an image has the files of one service in it, and its secrets.
    const ofAService = parsed?.repository.startsWith(filesRepositoryPrefix) ?? false;
    if (parsed === null || ofAService) {
      throw new OneloopError("image-unavailable", `${JSON.stringify(image)} is no image.`);
    }
    const found =
      (await this.#present(ref, { ...parsed, reader: use.reader }, options.signal)) ??
      (await this.#pull(ref, { ...parsed, reader: use.reader }, options));
    const facts = await this.#factsOf(ref, found, use.user);
    this.#recent.set(recentKey(image, use), { facts, untilMs: performance.now() + recentMs });
    return facts;
  }

  /** What `ensure` answered a moment ago; null: ask it. */
  recent(image: string, use: ImageUse): EngineImage | null {
    for (const [key, { untilMs }] of this.#recent) {
      if (untilMs < performance.now()) this.#recent.delete(key);
    }
    return this.#recent.get(recentKey(image, use))?.facts ?? null;
  }

  async #factsOf(
    ref: string,
    found: Docker.ImageInspectInfo,
    user: string | null,
  ): Promise<EngineImage> {
    const { Config, Id, Os, Architecture } = found;
    const { Variant } = found as { Variant?: string };
    const env = parseEnv(Config.Env ?? []);
    const files = await this.#accountsOf(Id);
    const wanted = user ?? Config.User;
    const resolved = resolveUser(wanted, files);
    if (resolved === null) {
      throw new OneloopError(
        "image-unavailable",
        `The image ${ref} has no user ${wanted}: there is no such entry in its /etc/passwd or /etc/group.`,
      );
    }
    return {
      id: Id,
      user: { uid: resolved.uid, gid: resolved.gid, name: resolved.name },
      home: homeOf(env["HOME"], resolved),
      shell: resolved.shell,
      entrypoint: list(Config.Entrypoint),
      command: list(Config.Cmd),
      env,
      workdir: Config.WorkingDir === "" ? "/" : Config.WorkingDir,
      volumes: Object.keys(Config.Volumes ?? {})
        .map((path) => posix.resolve("/", path))
        .sort(),
      platform: [Os, Architecture, ...(Variant ? [Variant] : [])].join("/"),
    };
  }

  /** The image that is there, if this person may have it; null where the registry has another now. */
  async #present(
    ref: string,
    asked: ImageReference & Pick<ImageUse, "reader">,
    signal: AbortSignal,
  ): Promise<Docker.ImageInspectInfo | null> {
    const found = await unless([404], this.#docker.getImage(ref).inspect());
    if (found === null || !isNamed(found, asked)) return null;
    return (await this.#registries.mayUse(ref, { ...asked, found, signal })) ? found : null;
  }

  async #pull(
    ref: string,
    parsed: ImageReference & Pick<ImageUse, "reader">,
    options: StepOptions,
  ): Promise<Docker.ImageInspectInfo> {
    // Somebody else's image under such a name would pass for one that was built here.
    if (isOwnImage(parsed)) throw missingImage(ref, undefined);
    options.onProgress?.(`Pulling ${ref}`);
    const { signal } = options;
    const credential = (await parsed.reader?.credentialFor(parsed.registry)) ?? null;
    try {
      const stream = await this.#docker.pull(ref, {
        ...authOf(parsed.registry, credential),
        abortSignal: signal,
      });
      await readPull(stream as Readable, options);
    } catch (error) {
      signal.throwIfAborted();
      throw refusedPull(ref, { ...parsed, hasCredential: credential !== null }, error);
    }
    const found = await this.#docker.getImage(ref).inspect();
    await this.#registries.pulled({ ...parsed, found, credential, signal });
    return found;
  }

  #accountsOf(imageId: string): Promise<AccountFiles> {
    const known = this.#accounts.get(imageId);
    if (known !== undefined) return known;
    const reading = this.#readAccounts(imageId);
    this.#accounts.set(imageId, reading);
    reading.catch(() => this.#accounts.delete(imageId));
    return reading;
  }

  /** From a container that is never started: nothing of the image runs. */
  async #readAccounts(imageId: string): Promise<AccountFiles> {
    const name = this.#names.imageFacts(imageId);
    const role: Role = "image-facts";
    try {
      await this.#docker.createContainer({
        name,
        Image: imageId,
        // Never run; an image with nothing in it has no command, and the engine wants one.
        Entrypoint: ["/"],
        Labels: {
          ...this.#names.installationLabels(),
          // An image may carry labels of its own: these must not make it somebody's.
          [label.workspace]: "",
          [label.part]: role,
          [label.role]: role,
        },
        HostConfig: { NetworkMode: "none" },
      });
    } catch (error) {
      // 409: a killed run left it. Its image is the same (the name holds the id).
      if (statusOf(error) !== 409) throw error;
    }
    const container = this.#docker.getContainer(name);
    try {
      const [passwd, group] = await Promise.all([
        readFile(container, "/etc/passwd"),
        readFile(container, "/etc/group"),
      ]);
      return { passwd, group };
    } finally {
      await removeContainer(this.#docker, name);
    }
  }
}

function recentKey(image: string, { user, reader }: ImageUse): string {
  return JSON.stringify([image, user, reader?.id]);
}

/** Not by the start of its id: that would be anybody's image. */
function isNamed(
  { RepoTags, RepoDigests }: Docker.ImageInspectInfo,
  asked: ImageReference,
): boolean {
  const { registry, repository, tag, digest } = asked;
  return [...(RepoTags ?? []), ...(RepoDigests ?? [])].some((name) => {
    const own = parseImageReference(name);
    if (own?.registry !== registry || own.repository !== repository) return false;
    return digest === null ? own.tag === (tag ?? "latest") : own.digest === digest;
  });
}

async function readFile(container: Docker.Container, path: string): Promise<string> {
  using limit = deadline(null, accountsTimeoutMs);
  const abortSignal = limit.signal;
  const archive = await unless([404], container.getArchive({ path, abortSignal }));
  if (archive === null) return "";
  const extract = tar.extract();
  (archive as Readable).on("error", (error) => extract.destroy(error)).pipe(extract);
  for await (const entry of extract) {
    if (entry.header.type !== "file" || (entry.header.size ?? 0) > maxFileBytes) return "";
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("utf8");
  }
  return "";
}

/** One line for each thing that is done; the bars of each layer would be thousands. */
async function readPull(stream: Readable, options: StepOptions): Promise<void> {
  for await (const line of jsonLines(stream)) {
    const { error, status, id, progressDetail } = line as {
      error?: string;
      status?: string;
      id?: string;
      progressDetail?: { total?: number };
    };
    if (error !== undefined) throw new Error(error);
    if (status === undefined || progressDetail?.total !== undefined) continue;
    options.onProgress?.(id === undefined ? status : `${id}: ${status}`);
  }
}

/** The values of a stream of JSON lines. */
export async function* jsonLines(stream: Readable): AsyncGenerator {
  let pending = "";
  stream.setEncoding("utf8");
  for await (const text of stream as AsyncIterable<string>) {
    const lines = (pending + text).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() !== "") yield JSON.parse(line) as unknown;
    }
  }
}

/** `NAME=value` lines, as the engine has them. */
export function parseEnv(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const equals = line.indexOf("=");
      return equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
}

/** Sorted: the same environment is the same container. */
export function formatEnv(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
}

function list(value: string | string[] | null | undefined): string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}
