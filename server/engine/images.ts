import type { Readable } from "node:stream";
import type { Owner, StepOptions } from "./steps.ts";

/** What an image says of itself; `user` is resolved in the image's own /etc/passwd. */
export interface ImageFacts {
  /** Content id, such as `sha256:…`. */
  readonly id: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly name: string | null };
  /** Absolute; `/home/oneloop` where the image's user has `/`, none, or no passwd entry. */
  readonly home: string;
  /** The user's login shell of /etc/passwd; `null` where there is no entry. */
  readonly shell: string | null;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
}

/** What a registry is told of who asks. Never in an argument, an event or a log. */
export interface RegistryCredential {
  readonly username: string;
  readonly password: string;
}

/** On whose behalf images are used: their registries are asked as this person. */
export interface ImageReader {
  /** The same id is the same person: what a registry allowed them holds for a few minutes. */
  readonly id: string;
  /**
   * What they have stored for a registry; null: nothing.
   *
   * @param registry as a reference has it, with its port: `docker.io`, `localhost:5000`.
   */
  credentialFor(registry: string): Promise<RegistryCredential | null>;
}

/** Whether images that came from registries may be read by everybody, as it was found out once. */
export interface KnownImages {
  /**
   * Null where nobody has found out.
   *
   * @param image as `registry/repository@digest`.
   */
  isPublic(image: string): Promise<boolean | null>;
  remember(image: string, isPublic: boolean): Promise<void>;
}

export interface ImageOptions extends StepOptions {
  readonly user?: string | null;
  readonly reader?: ImageReader | undefined;
}

/** An image of a repository, to be built. */
export interface ImageBuildRequest {
  readonly owner: Owner;
  /** A tar archive of the context's folder. */
  readonly archive: Readable;
  /** The Dockerfile's path in the archive. */
  readonly dockerfile: string;
  readonly args: Readonly<Record<string, string>>;
  /** The stage that is wanted; null: the last. */
  readonly target: string | null;
  /** Who may read the images that it stands on. */
  readonly reader?: ImageReader | undefined;
}

/** Images: those of registries, and those that a repository builds. */
export interface ImageEngine {
  /**
   * The image's facts, pulling it where it is absent; progress lines while pulling. With `user` (a
   * plan's: uid, uid:gid or a name) user, home and shell are that user's and not the image's own.
   * One that is there because somebody could pull it is given only to a `reader` whom its registry
   * lets read it, too; what everybody may read, and what no registry has, is there for all.
   *
   * @throws OneloopError `image-not-found`, `image-denied`, `image-unavailable`
   */
  ensureImage(ref: string, options: ImageOptions): Promise<ImageFacts>;

  /**
   * Builds an image confined as the owner's workspace is, whose sandbox has to run; what is unchanged
   * is not built again. `ref` is what a plan calls it.
   */
  buildImage(
    request: ImageBuildRequest,
    options: StepOptions,
  ): Promise<{ readonly ref: string; readonly built: boolean }>;
}
