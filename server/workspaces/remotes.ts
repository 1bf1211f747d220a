import type { SignedIn } from "../auth/accounts.ts";
import type { UserSettings } from "../auth/user-settings.ts";
import type { ProjectToCheckOut } from "../plan/projects.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { Checkout } from "../protocol/plan.ts";
import { parseContextUrl, type ContextUrl } from "../repo/context-url.ts";
import type { Target } from "../repo/context-url-pages.ts";
import type { Remote, Repositories } from "../repo/repositories.ts";
import { localRepository } from "./local-repositories.ts";

export interface RemoteParts {
  readonly repositories: Repositories;
  readonly settings: UserSettings;
  /** The folders that file:// URLs may name; null allows any. */
  readonly fileRoots: readonly string[] | null;
}

/** The remote as this user may ask it: with their own credential for its host, if they stored one. */
export async function remoteOf(
  { settings, fileRoots }: Pick<RemoteParts, "settings" | "fileRoots">,
  user: SignedIn,
  url: ContextUrl,
): Promise<Remote> {
  const remote = { url: url.remote, key: url.repositoryKey };
  if (url.kind === "file") {
    return { ...remote, localFolder: await localRepository(url.path, fileRoots) };
  }
  if (url.host === null) return remote;
  const scheme = /^[a-z]+(?=:\/\/)/.exec(url.remote)?.[0] ?? "ssh";
  const stored = await settings.credentialFor(user.id, { scheme, host: url.host });
  return stored === null ? remote : { ...remote, credential: { ...stored, url: url.remote } };
}

/**
 * For the submodules of a repository. One on this machine may have submodules on this machine; one
 * from elsewhere may not lead git to this machine's folders.
 */
export function remoteOfUrl(
  parts: RemoteParts,
  user: SignedIn,
  outer: ContextUrl,
): (url: string) => Promise<Remote> {
  return async (text) => {
    const url = parseContextUrl(text);
    if (url.target.kind !== "head") {
      throw new OneloopError("context-url-invalid", "A submodule's URL is that of a repository.");
    }
    if (url.kind === "file" && outer.kind !== "file") {
      throw new OneloopError(
        "repository-not-allowed",
        "It lies on the machine that runs Oneloop, and the repository around it does not.",
      );
    }
    return remoteOf(parts, user, url);
  };
}

/** The devfile's further repositories, each resolved as this user sees it now. */
export function resolveProjects(
  parts: RemoteParts,
  user: SignedIn,
  { wanted, signal }: { wanted: readonly ProjectToCheckOut[]; signal: AbortSignal },
): Promise<Checkout[]> {
  return Promise.all(
    wanted.map(async ({ name, url, revision, path, remotes }) => {
      try {
        const parsed = parseContextUrl(url);
        const remote = await remoteOf(parts, user, parsed);
        const target = revision === null ? parsed.target : revisionTarget(revision);
        const { ref, commit } = await parts.repositories.resolve(remote, target, signal);
        await parts.repositories.ensureCommit(remote, { ref, commit }, signal);
        const key = parsed.repositoryKey;
        return { url: parsed.remote, ...remotes, key, ref, commit, path };
      } catch (error) {
        const failure = toOneloopError(error);
        throw new OneloopError(
          failure.code,
          `The devfile's project ${name} cannot be had. ${failure.message}`,
          { cause: failure },
        );
      }
    }),
  );
}

/** Any ref or commit of this name. */
function revisionTarget(revision: string): Target {
  return { kind: "ref", among: "any", text: revision, ends: true, path: null };
}
