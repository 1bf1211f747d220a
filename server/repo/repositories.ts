import { createHash } from "node:crypto";
import { OneloopError } from "../protocol/errors.ts";
import type { GitResult, GitRunner } from "./git-runner.ts";
import type { RemoteRef, ResolvedRef } from "./resolve-ref.ts";

/** A remote that is silent for this long is unreachable. */
const askTimeoutMs = 30_000;
/** The first fetch of a large repository over a slow line. */
const fetchTimeoutMs = 15 * 60 * 1000;

/** Where the cache's volume is mounted, wherever git runs for it. */
export const cachePath = "/repositories";

/** A remote as it is asked. */
export interface Remote {
  /** What git is given, and what the checkout's `origin` is. No credential in it. */
  readonly url: string;
  /** The folder of this machine behind a file:// URL. */
  readonly localFolder?: string;
}

export interface RemoteRefs {
  readonly refs: readonly RemoteRef[];
  /** Where HEAD stands; null in an empty repository. */
  readonly head: ResolvedRef | null;
}

/** The folder of a repository's cache, from its URL: 32 hex digits, then `.git`. */
export function cacheKey(url: string): string {
  return `${createHash("sha256").update(url).digest("hex").slice(0, 32)}.git`;
}

/**
 * The repository cache. It saves transfer, never a check: whoever opens a repository has asked its
 * remote in this open (`listRefs`) before anything is read from here.
 */
export class Repositories {
  readonly #git: GitRunner;
  /** One fetch at a time for each repository. */
  readonly #fetching = new Map<string, Promise<unknown>>();

  constructor(git: GitRunner) {
    this.#git = git;
  }

  /**
   * Asks the remote which refs it has.
   *
   * @throws OneloopError `repository-unreachable`
   */
  async listRefs(remote: Remote, signal: AbortSignal): Promise<RemoteRefs> {
    const result = await this.#run(remote, {
      args: ["ls-remote", "--symref", "--", address(remote)],
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (result.exitCode !== 0) throw unreachable(remote, result);
    return parseRefs(result.stdout.toString("utf8"));
  }

  /**
   * Makes sure that the cache has `commit`, and `ref` at it; asks the remote only if it has not.
   *
   * @param wanted.ref full, such as `refs/heads/main`; null for a bare commit.
   * @throws OneloopError `repository-unreachable`, or `ref-not-found` when the remote gives no such
   * commit.
   */
  async ensureCommit(
    remote: Remote,
    wanted: { readonly ref: string | null; readonly commit: string },
    signal: AbortSignal,
  ): Promise<void> {
    const key = cacheKey(remote.url);
    while (this.#fetching.has(key)) await this.#fetching.get(key)?.catch(() => undefined);
    if (await this.#has(remote, wanted, signal)) return;
    const fetching = this.#fetch(remote, wanted, signal);
    this.#fetching.set(key, fetching);
    try {
      await fetching;
    } finally {
      this.#fetching.delete(key);
    }
  }

  /** The first of `paths` that the commit has, with its text; null when it has none of them. */
  async readFirst(
    remote: Remote,
    wanted: { readonly commit: string; readonly paths: readonly string[]; maxBytes: number },
    signal: AbortSignal,
  ): Promise<{ path: string; text: string } | null> {
    const listed = await this.#git.run({
      args: [...[gitDir(remote), "ls-tree", "-l", "-z", wanted.commit, "--"], ...wanted.paths],
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (listed.exitCode !== 0) throw cacheFailed(listed);
    const blobs = new Map(
      listed.stdout
        .toString("utf8")
        .split("\0")
        .flatMap((entry) => {
          const match = /^\d+ blob ([0-9a-f]{40,64}) +(\d+)\t(.+)$/s.exec(entry);
          return match === null
            ? []
            : [[match[3] ?? "", { id: match[1] ?? "", size: Number(match[2]) }]];
        }),
    );
    const path = wanted.paths.find((candidate) => blobs.has(candidate));
    const blob = path === undefined ? undefined : blobs.get(path);
    if (path === undefined || blob === undefined) return null;
    if (blob.size > wanted.maxBytes) {
      throw new OneloopError(
        "devfile-invalid",
        `${path} has ${blob.size} bytes; at most ${wanted.maxBytes} are read.`,
      );
    }
    const read = await this.#git.run({
      args: [gitDir(remote), "cat-file", "blob", blob.id],
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (read.exitCode !== 0) throw cacheFailed(read);
    return { path, text: read.stdout.toString("utf8") };
  }

  async #has(
    remote: Remote,
    wanted: { readonly ref: string | null; readonly commit: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { exitCode, stdout } = await this.#git.run({
      args: [
        ...[gitDir(remote), "rev-parse", "--verify", "--quiet"],
        `${wanted.ref ?? wanted.commit}^{commit}`,
      ],
      timeoutMs: askTimeoutMs,
      signal,
    });
    return exitCode === 0 && stdout.toString("utf8").trim() === wanted.commit;
  }

  async #fetch(
    remote: Remote,
    wanted: { readonly ref: string | null; readonly commit: string },
    signal: AbortSignal,
  ): Promise<void> {
    const made = await this.#git.run({
      args: ["init", "--quiet", "--bare", "--", `${cachePath}/${cacheKey(remote.url)}`],
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (made.exitCode !== 0) throw cacheFailed(made);
    const fetched = await this.#run(remote, {
      args: [
        ...[gitDir(remote), "fetch", "--quiet", "--prune", "--no-tags", "--"],
        ...[address(remote), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
        // A commit that no branch has any more is still given by most servers, by its name.
        ...(wanted.ref === null ? [wanted.commit] : []),
      ],
      timeoutMs: fetchTimeoutMs,
      signal,
    });
    if (fetched.exitCode !== 0) throw unreachable(remote, fetched);
    if (wanted.ref === null || (await this.#has(remote, wanted, signal))) return;
    throw new OneloopError(
      "ref-not-found",
      `${wanted.ref} moved while it was read. Open it again.`,
    );
  }

  #run(
    remote: Remote,
    request: { args: readonly string[]; timeoutMs: number; signal: AbortSignal },
  ): Promise<GitResult> {
    const { localFolder } = remote;
    return this.#git.run({
      ...request,
      ...(localFolder === undefined ? {} : { localFolder, env: { GIT_ALLOW_PROTOCOL: "file" } }),
    });
  }
}

function gitDir(remote: Remote): string {
  return `--git-dir=${cachePath}/${cacheKey(remote.url)}`;
}

function address(remote: Remote): string {
  return remote.localFolder ?? remote.url;
}

/** @param text of `git ls-remote --symref`. */
export function parseRefs(text: string): RemoteRefs {
  const refs: RemoteRef[] = [];
  let headRef: string | null = null;
  let headCommit: string | null = null;
  for (const line of text.split("\n")) {
    const symbolic = /^ref: (\S+)\tHEAD$/.exec(line);
    if (symbolic !== null) headRef = symbolic[1] ?? null;
    const match = /^([0-9a-f]{40})\t(\S+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    if (match[2] === "HEAD") headCommit = match[1];
    else refs.push({ commit: match[1], name: match[2] });
  }
  return { refs, head: headCommit === null ? null : { ref: headRef, commit: headCommit } };
}

function unreachable(remote: Remote, result: GitResult): OneloopError {
  const reason = result.stderr.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
  const advice = /certificate/i.test(reason)
    ? "Where a company's own authority vouches for it, the operator sets ONELOOP_CA_FILE to that authority's certificate."
    : "Check the address, and that it is open to you.";
  return new OneloopError(
    "repository-unreachable",
    `${remote.url} cannot be read: ${reason === "" ? "no answer in time" : reason}. ${advice}`,
    { cause: new Error(result.stderr) },
  );
}

function cacheFailed(result: GitResult): OneloopError {
  return new OneloopError(
    "internal",
    "The repository cache failed. The control plane's log has the cause.",
    { cause: new Error(result.stderr) },
  );
}
