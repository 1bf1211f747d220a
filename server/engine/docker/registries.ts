import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import { parseImageReference, type ImageReference } from "../../protocol/image-reference.ts";
import { deadline } from "../../util/deadline.ts";
import type { ImageReader, KnownImages, RegistryCredential } from "../images.ts";
import { statusOf } from "./client.ts";

/** What a registry answers to whether somebody may read an image. */
type Answer = "readable" | "denied" | "absent" | "silent";

/** Two or three small requests; people wait for it at an open. */
const answerTimeoutMs = 5000;
/** A registry that did not answer is not asked by each service of a workspace again. */
const silentMs = 30_000;
/** A right that was taken away counts after this at the latest. */
const allowedMs = 5 * 60 * 1000;
/** More than an installation's people use in that time. */
const maxAllowed = 10_000;

/** Docker's own name for its registry, to which credentials for it are bound. */
const hubAddress = "https://index.docker.io/v1/";

/** What an engine's image is asked about. */
interface Asked extends Pick<ImageReference, "registry" | "repository" | "digest"> {
  readonly found: Pick<Docker.ImageInspectInfo, "RepoDigests">;
  readonly signal: AbortSignal;
}

/**
 * Who may have an image that the engine has. The engine gives every image to everybody; one that
 * somebody's credential brought is another's only if its registry says so. The engine itself asks
 * (`/distribution`), on its own way to the registry, with its certificates and mirrors.
 */
export class Registries {
  readonly #docker: Docker;
  readonly #known: KnownImages;
  readonly #given: ReadonlySet<string>;
  /** By person and image: when what the registry allowed is asked again. */
  readonly #allowed = new Map<string, number>();
  /** By registry: until when it counts as one that does not answer. */
  readonly #silent = new Map<string, number>();
  readonly #asking = new Map<string, Promise<boolean>>();

  /** @param parts.given references that the operator gives to everybody. */
  constructor(docker: Docker, parts: { known: KnownImages; given: readonly string[] }) {
    this.#docker = docker;
    this.#known = parts.known;
    this.#given = new Set(parts.given);
  }

  /**
   * Whether a person may use an image that is there. Nobody is asked about one that no registry has,
   * or that everybody may read; false: its registry has it no more, it has to be pulled.
   *
   * @throws OneloopError `image-denied`, and `image-unavailable` where a private image's registry
   * does not answer
   */
  async mayUse(
    ref: string,
    asked: Asked & { readonly reader?: ImageReader | undefined },
  ): Promise<boolean> {
    const { reader } = asked;
    if (reader === undefined || this.#given.has(ref)) return true;
    const [image] = registryNames(asked);
    if (image === undefined) return true;
    const key = `${reader.id} ${image}`;
    const until = this.#allowed.get(key);
    if (until !== undefined && until > performance.now()) return true;
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asking = this.#ask(ref, image, { ...asked, reader, key });
    this.#asking.set(key, asking);
    try {
      return await asking;
    } finally {
      this.#asking.delete(key);
    }
  }

  /** An image has just been pulled, with a credential or as anybody. */
  async pulled(
    asked: Asked & {
      readonly reader?: ImageReader | undefined;
      readonly credential: RegistryCredential | null;
    },
  ): Promise<void> {
    const { reader, credential, registry, signal } = asked;
    for (const image of registryNames(asked)) {
      const isPublic =
        credential === null ||
        (await this.#answer(image, { registry, credential: null, signal })) === "readable";
      await this.#known.remember(image, isPublic);
      if (reader !== undefined) this.#allow(`${reader.id} ${image}`);
    }
  }

  async #ask(
    ref: string,
    image: string,
    {
      registry,
      reader,
      key,
      signal,
    }: Asked & { readonly reader: ImageReader; readonly key: string },
  ): Promise<boolean> {
    const known = await this.#known.isPublic(image);
    if (known === true) return true;
    const credential = await reader.credentialFor(registry);
    if (known === null || credential === null) {
      const anybody = await this.#answer(image, { registry, credential: null, signal });
      if (anybody === "readable") {
        await this.#known.remember(image, true);
        return true;
      }
      // Nobody's credential brought it: whoever put it there did it beside Oneloop.
      if (known === null && anybody === "silent") return true;
      if (known === null) await this.#known.remember(image, false);
      if (credential === null) return this.#judge(ref, anybody, { registry, hasCredential: false });
    }
    const own = await this.#answer(image, { registry, credential, signal });
    if (own === "readable") this.#allow(key);
    return this.#judge(ref, own, { registry, hasCredential: true });
  }

  /** What an answer means for who wants to use an image that is there. */
  #judge(
    ref: string,
    answer: Answer,
    asked: { readonly registry: string; readonly hasCredential: boolean },
  ): boolean {
    const { registry } = asked;
    switch (answer) {
      case "readable":
        return true;
      case "absent":
        return false;
      case "denied":
        throw denied(ref, asked);
      case "silent":
        throw new OneloopError(
          "image-unavailable",
          `The image ${ref} is private, and its registry ${registry} does not answer: nobody can say whether you may read it. Try again when it does.`,
        );
      default:
        return answer satisfies never;
    }
  }

  async #answer(
    image: string,
    asked: {
      readonly registry: string;
      readonly credential: RegistryCredential | null;
      readonly signal: AbortSignal;
    },
  ): Promise<Answer> {
    const { registry, credential, signal } = asked;
    if ((this.#silent.get(registry) ?? 0) > performance.now()) return "silent";
    using limit = deadline(signal, answerTimeoutMs);
    try {
      await this.#docker.getImage(image).distribution({
        ...authOf(registry, credential),
        abortSignal: limit.signal,
      });
      return "readable";
    } catch (error) {
      signal.throwIfAborted();
      const answer = limit.signal.aborted ? "silent" : answerOf(error, image);
      if (answer === "silent") this.#silent.set(registry, performance.now() + silentMs);
      return answer;
    }
  }

  #allow(key: string): void {
    const now = performance.now();
    this.#allowed.delete(key);
    this.#allowed.set(key, now + allowedMs);
    for (const [other, until] of this.#allowed) {
      if (until > now && this.#allowed.size <= maxAllowed) break;
      this.#allowed.delete(other);
    }
  }
}

/** Knows nothing at first, and forgets all with the process. */
export function unknownImages(): KnownImages {
  const known = new Map<string, boolean>();
  return {
    isPublic: async (image) => known.get(image) ?? null,
    remember: async (image, isPublic) => void known.set(image, isPublic),
  };
}

/** For the engine's `X-Registry-Auth`. */
export function authOf(
  registry: string,
  credential: RegistryCredential | null,
): { authconfig?: { username: string; password: string; serveraddress: string } } {
  if (credential === null) return {};
  const serveraddress = registry === "docker.io" ? hubAddress : registry;
  return { authconfig: { ...credential, serveraddress } };
}

/** What a pull failed with, for who asked for the image. */
export function refusedPull(
  ref: string,
  { registry, hasCredential }: { readonly registry: string; readonly hasCredential: boolean },
  cause: unknown,
): OneloopError {
  const answer = answerOf(cause, ref);
  if (answer === "denied") return denied(ref, { registry, hasCredential, cause });
  if (answer === "absent") {
    return new OneloopError(
      "image-not-found",
      `${registry} has no image ${ref}. Check its name and tag.`,
      { cause },
    );
  }
  return new OneloopError(
    "image-unavailable",
    `The image ${ref} is not on this engine and cannot be pulled. Check its name, and that the engine reaches its registry.`,
    { cause },
  );
}

function denied(
  ref: string,
  {
    registry,
    hasCredential,
    cause,
  }: { readonly registry: string; readonly hasCredential: boolean; readonly cause?: unknown },
): OneloopError {
  const sentence = hasCredential
    ? `${registry} does not let you read the image ${ref} with the credential that you have stored. Store another with \`loop credentials set ${registry}\`, or check the image's name.`
    : `${registry} does not let everybody read the image ${ref}, or has no such image. Store your credential for it with \`loop credentials set ${registry}\`.`;
  return new OneloopError("image-denied", sentence, { cause });
}

/** The engine's names of an image at the registry of a reference, with its digest: where it came from. */
function registryNames({ registry, repository, digest, found }: Omit<Asked, "signal">): string[] {
  return (found.RepoDigests ?? []).filter((name) => {
    const own = parseImageReference(name);
    return (
      own?.registry === registry &&
      own.repository === repository &&
      (digest === null || own.digest === digest)
    );
  });
}

/** Words of registries and of the engine that passes them on; its status says little (20.10: 500). */
const deniedWords =
  /unauthorized|authentication required|no basic auth credentials|access.* denied|denied:|forbidden|insufficient_scope/i;
const absentWords = /manifest unknown|name unknown|not found|no such manifest/i;
const networkWords =
  /dial tcp|i\/o timeout|connection re|x509|tls: |deadline exceeded|\bEOF\b|no such host|toomanyrequests/i;

function answerOf(thrown: unknown, name: string): Answer {
  const status = statusOf(thrown);
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  // Names may be such words.
  const words = said.replaceAll(/"[^"]*"/g, "").replaceAll(name.split("@")[0] ?? name, "");
  if (networkWords.test(words)) return "silent";
  if (status === 401 || status === 403 || deniedWords.test(words)) return "denied";
  if (status === 404 || absentWords.test(words)) return "absent";
  return "silent";
}
