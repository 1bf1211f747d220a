import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { OneloopError } from "../protocol/errors.ts";
import { deadline } from "../util/deadline.ts";
import { parseBatch, parseTree, type TreeEntry } from "./commit-files.ts";
import type { Target } from "./context-url-pages.ts";
import type { GitResult, GitRunner, RemoteCredential } from "./git-runner.ts";
import { isRefName } from "./ref-name.ts";
import { cacheFailed, notGiven, unreachable } from "./repository-words.ts";
import { abbreviatedCommit, resolveRef } from "./resolve-ref.ts";
import { parseGitmodules, type Submodule } from "./submodules.ts";
import type { RemoteRef, RemoteRefs, Resolved } from "./resolve-ref.ts";

/** A remote that is silent for this long is unreachable. */
const askTimeoutMs = 30_000;
/** The first fetch of a large repository over a slow line. */
const fetchTimeoutMs = 15 * 60 * 1000;

/** What git's `--depth` calls infinite (git-fetch-pack(1)). */
const wholeHistory = 0x7fff_ffff;
/** Arguments travel in a request's head, which has a limit. */
const pathsAtATime = 20;
const maxPathChars = 1000;

/** Where the cache's volume is mounted, wherever git runs for it. */
export const cachePath = "/repositories";

/** A remote as it is asked. */
export interface Remote {
  /** What git is given, and what the checkout's remote is. No credential in it. */
  readonly url: string;
  /** What its cache is found by: the `repositoryKey` of its context URL. */
  readonly key: string;
  /** The folder of this machine behind a file:// URL. */
  readonly localFolder?: string;
  /** The asker's own; null or absent for a remote that is open to all. */
  readonly credential?: RemoteCredential | null;
}

/** The folder of a repository's cache, from its `repositoryKey`: 32 hex digits, then `.git`. */
export function cacheKey(repositoryKey: string): string {
  return `${createHash("sha256").update(repositoryKey).digest("hex").slice(0, 32)}.git`;
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
   * Asks the remote what `target` is there now. Where it is an abbreviated commit, the cache may
   * know it too.
   *
   * @throws OneloopError `repository-unreachable`, `ref-not-found`
   */
  async resolve(remote: Remote, target: Target, signal: AbortSignal): Promise<Resolved> {
    const refs = await this.listRefs(remote, signal);
    const short = abbreviatedCommit(target);
    const cached = short === null ? [] : await this.#cachedCommits(remote, short, signal);
    return resolveRef(refs, target, cached);
  }

  /**
   * Makes sure that the cache has `commit`, and `ref` at it; asks the remote only if it has not.
   *
   * @param wanted.ref full, such as `refs/heads/main`, as the remote has just shown it to the asker;
   * null for a bare commit, which the remote is asked for even where the cache has it: it may have
   * come with the rights of somebody else.
   * @throws OneloopError `repository-unreachable`, or `ref-not-found` when the remote gives no such
   * commit.
   */
  async ensureCommit(
    remote: Remote,
    wanted: { readonly ref: string | null; readonly commit: string },
    signal: AbortSignal,
  ): Promise<void> {
    const key = cacheKey(remote.key);
    while (this.#fetching.has(key)) {
      await orAborted(
        this.#fetching.get(key)?.catch(() => undefined),
        signal,
      );
    }
    const ensuring = this.#ensure(remote, wanted, signal);
    this.#fetching.set(key, ensuring);
    try {
      await ensuring;
    } finally {
      this.#fetching.delete(key);
    }
  }

  async #ensure(
    remote: Remote,
    wanted: { readonly ref: string | null; readonly commit: string },
    signal: AbortSignal,
  ): Promise<void> {
    const has = await this.#has(remote, wanted, signal);
    if (has && wanted.ref !== null) return;
    try {
      await this.#fetch(remote, { ...wanted, has }, signal);
    } catch (error) {
      // Why it failed is worth more than why this did.
      await this.#removeHalves(remote).catch(() => undefined);
      throw error;
    }
  }

  /** Git keeps what it has of a pack that ended early, and never looks at it again. */
  async #removeHalves(remote: Remote): Promise<void> {
    const remove = 'find "$GIT_DIR/objects" -type f -name "tmp_*" -delete';
    // Not the fetch's own signal: that one may have been given up.
    using limit = deadline(null, askTimeoutMs);
    await this.#git.run({
      args: [gitDir(remote), "-c", `alias.remove-halves=!${remove}`, "remove-halves"],
      timeoutMs: askTimeoutMs,
      signal: limit.signal,
    });
  }

  /**
   * What a commit in the cache has at `paths`, each at most once. A path with `/` at its end stands
   * for what is directly in that folder, and no path at all for what is in the root. Symbolic links
   * and submodules are not among it.
   */
  async list(
    remote: Remote,
    wanted: { readonly commit: string; readonly paths: readonly string[] },
    signal: AbortSignal,
  ): Promise<TreeEntry[]> {
    const { commit, paths } = wanted;
    const found = new Map<string, TreeEntry>();
    for (let at = 0; at === 0 || at < paths.length; at += pathsAtATime) {
      const listed = await this.#git.run({
        args: [
          ...[gitDir(remote), "--literal-pathspecs", "ls-tree", "-l", "-z", commit, "--"],
          ...paths.slice(at, at + pathsAtATime),
        ],
        timeoutMs: askTimeoutMs,
        signal,
      });
      if (listed.exitCode !== 0) throw cacheFailed(listed);
      for (const entry of parseTree(listed.stdout.toString("utf8"))) found.set(entry.path, entry);
    }
    return [...found.values()];
  }

  /** The texts of listed files, by their paths. Those that are larger than `maxBytes` are left out. */
  async texts(
    remote: Remote,
    { files, maxBytes }: { readonly files: readonly TreeEntry[]; readonly maxBytes: number },
    signal: AbortSignal,
  ): Promise<Map<string, string>> {
    const wanted = files.filter(({ kind, size }) => kind === "file" && size <= maxBytes);
    if (wanted.length === 0) return new Map();
    const read = await this.#git.run({
      args: [gitDir(remote), "cat-file", "--batch"],
      stdin: wanted.map(({ id }) => `${id}\n`).join(""),
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (read.exitCode !== 0) throw cacheFailed(read);
    return parseBatch(wanted, read.stdout);
  }

  /** The commits that begin with `short`, unless nothing is cached yet. */
  async #cachedCommits(remote: Remote, short: string, signal: AbortSignal): Promise<string[]> {
    const found = await this.#git.run({
      args: [gitDir(remote), "rev-parse", `--disambiguate=${short}`],
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (found.exitCode !== 0) return [];
    const typed = await this.#git.run({
      args: [gitDir(remote), "cat-file", "--batch-check"],
      stdin: found.stdout.toString("utf8"),
      timeoutMs: askTimeoutMs,
      signal,
    });
    return [...typed.stdout.toString("utf8").matchAll(/^([0-9a-f]{40}) commit /gm)].flatMap(
      ([, id]) => id ?? [],
    );
  }

  /**
   * How many commits `to` has that `from` has not; null where the cache does not know `from`.
   * `to` must be in the cache.
   */
  async countBehind(
    remote: Remote,
    commits: { readonly from: string; readonly to: string },
    signal: AbortSignal,
  ): Promise<number | null> {
    if (commits.from === commits.to) return 0;
    const counted = await this.#git.run({
      args: [gitDir(remote), "rev-list", "--count", `${commits.from}..${commits.to}`, "--"],
      timeoutMs: askTimeoutMs,
      signal,
    });
    return counted.exitCode === 0 ? Number(counted.stdout.toString("utf8").trim()) : null;
  }

  /** Whether a commit in the cache has this file or folder. */
  async hasPath(
    remote: Remote,
    wanted: { readonly commit: string; readonly path: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { exitCode } = await this.#git.run({
      args: [gitDir(remote), "cat-file", "-e", `${wanted.commit}:${wanted.path}`],
      timeoutMs: askTimeoutMs,
      signal,
    });
    return exitCode === 0;
  }

  /**
   * A folder of a commit in the cache as a tar archive, with paths below it.
   *
   * @param wanted.path empty for the whole tree.
   * @param wanted.only a file or folder in it; absent: all of it.
   * @throws OneloopError `checkout-failed` where the cache has no such commit, folder or file
   */
  async archive(
    wanted: {
      readonly key: string;
      readonly commit: string;
      readonly path: string;
      readonly only?: string;
    },
    signal: AbortSignal,
  ): Promise<Readable> {
    const tree = wanted.path === "" ? wanted.commit : `${wanted.commit}:${wanted.path}`;
    const archived = await this.#git.run({
      args: [
        ...[`--git-dir=${cachePath}/${cacheKey(wanted.key)}`, "--literal-pathspecs"],
        ...["archive", "--format=tar", tree],
        ...(wanted.only === undefined ? [] : ["--", wanted.only]),
      ],
      timeoutMs: fetchTimeoutMs,
      signal,
    });
    if (archived.exitCode === 0) return Readable.from([archived.stdout]);
    throw new OneloopError(
      "checkout-failed",
      `The repository has no folder ${wanted.path || "."} at ${wanted.commit.slice(0, 12)}.`,
      { cause: new Error(archived.stderr) },
    );
  }

  /** The submodules of a commit in the cache, each with the commit that belongs to it. */
  async submodules(
    remote: Remote,
    commit: string,
    signal: AbortSignal,
  ): Promise<(Submodule & { readonly commit: string })[]> {
    const listed = await this.#git.run({
      args: [gitDir(remote), "config", "--blob", `${commit}:.gitmodules`, "--list", "-z"],
      timeoutMs: askTimeoutMs,
      signal,
    });
    // No such file, or one that git cannot read: then git itself sees no submodules either.
    if (listed.exitCode !== 0) return [];
    const named = parseGitmodules(listed.stdout.toString("utf8")).filter(({ path }) =>
      isPathInTree(path),
    );
    const commits = new Map<string, string>();
    for (let at = 0; at < named.length; at += pathsAtATime) {
      const paths = named.slice(at, at + pathsAtATime).map(({ path }) => path);
      const tree = await this.#git.run({
        args: [gitDir(remote), "--literal-pathspecs", "ls-tree", "-z", commit, "--", ...paths],
        timeoutMs: askTimeoutMs,
        signal,
      });
      if (tree.exitCode !== 0) throw cacheFailed(tree);
      for (const entry of tree.stdout.toString("utf8").split("\0")) {
        const [, of, path] = /^160000 commit ([0-9a-f]{40})\t(.+)$/s.exec(entry) ?? [];
        if (of !== undefined && path !== undefined) commits.set(path, of);
      }
    }
    return named.flatMap((one) => {
      const of = commits.get(one.path);
      return of === undefined ? [] : [{ ...one, commit: of }];
    });
  }

  /** Whether a commit in the cache keeps some of its files in LFS (git-lfs(1)). */
  async usesLfs(remote: Remote, commit: string, signal: AbortSignal): Promise<boolean> {
    const { exitCode } = await this.#git.run({
      args: [
        ...[gitDir(remote), "grep", "--quiet", "--fixed-strings", "filter=lfs", commit, "--"],
        ...[":(glob)**/.gitattributes"],
      ],
      timeoutMs: askTimeoutMs,
      signal,
    });
    return exitCode === 0;
  }

  /**
   * Fetches what a commit keeps in LFS into the cache, with the asker's own credential.
   *
   * @throws OneloopError `repository-unreachable`
   */
  async fetchLfs(remote: Remote, commit: string, signal: AbortSignal): Promise<void> {
    // A .lfsconfig may name any URL. Where that is a folder, it is another's cache: not copied from.
    const noFolders =
      remote.localFolder === undefined
        ? ["-c", "lfs.customtransfer.lfs-standalone-file.path=false"]
        : [];
    const fetched = await this.#run(remote, {
      args: [gitDir(remote), ...noFolders, "lfs", "fetch", address(remote), commit],
      timeoutMs: fetchTimeoutMs,
      signal,
    });
    if (fetched.exitCode !== 0) throw unreachable(remote, fetched);
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
    wanted: { readonly ref: string | null; readonly commit: string; readonly has: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const made = await this.#git.run({
      args: ["init", "--quiet", "--bare", "--", `${cachePath}/${cacheKey(remote.key)}`],
      timeoutMs: askTimeoutMs,
      signal,
    });
    if (made.exitCode !== 0) throw cacheFailed(made);
    // A commit that no branch has any more is still given by most servers, by its name. So is a
    // pull request's ref, which stands beside branches and tags.
    const beside =
      wanted.ref === null
        ? [wanted.commit]
        : /^refs\/(heads|tags)\//.test(wanted.ref)
          ? []
          : [`+${wanted.ref}:${wanted.ref}`];
    // Git asks for nothing that it has, unless the history's depth is to change: here, to all of it.
    const ask = wanted.ref === null && wanted.has ? [`--depth=${wholeHistory}`] : [];
    const fetched = await this.#run(remote, {
      args: [
        ...[gitDir(remote), "fetch", "--quiet", "--prune", "--no-tags", ...ask, "--"],
        ...[address(remote), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
        ...beside,
      ],
      timeoutMs: fetchTimeoutMs,
      signal,
    });
    if (fetched.exitCode !== 0) {
      if (/not our ref|unadvertised object/.test(fetched.stderr)) throw notGiven(wanted.commit);
      throw unreachable(remote, fetched);
    }
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
    const { localFolder, credential } = remote;
    return this.#git.run({
      ...request,
      ...(localFolder === undefined ? {} : { localFolder, env: { GIT_ALLOW_PROTOCOL: "file" } }),
      ...(credential === undefined || credential === null ? {} : { credential }),
    });
  }
}

/** Somebody else's work: waited for, but no longer than who waits wants to. */
async function orAborted(work: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
    signal.addEventListener("abort", stop, { once: true });
  });
  await Promise.race([work, aborted]);
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
}

function gitDir(remote: Remote): string {
  return `--git-dir=${cachePath}/${cacheKey(remote.key)}`;
}

function address(remote: Remote): string {
  return remote.localFolder ?? remote.url;
}

/** @param text of `git ls-remote --symref`; names that git itself would not take are left out. */
export function parseRefs(text: string): RemoteRefs {
  const refs: RemoteRef[] = [];
  let headRef: string | null = null;
  let headCommit: string | null = null;
  for (const line of text.split("\n")) {
    const symbolic = /^ref: (\S+)\tHEAD$/.exec(line);
    if (symbolic?.[1] !== undefined && isSafe(symbolic[1])) headRef = symbolic[1];
    const match = /^([0-9a-f]{40})\t(\S+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    if (match[2] === "HEAD") headCommit = match[1];
    else if (isSafe(match[2])) refs.push({ commit: match[1], name: match[2] });
  }
  return { refs, head: headCommit === null ? null : { ref: headRef, commit: headCommit } };
}

/** A branch called `-x` is well-formed behind `refs/heads/`, but an option where it stands alone. */
function isSafe(name: string): boolean {
  const ref = name.replace(/\^\{\}$/, "");
  return isRefName(ref) && isRefName(ref.replace(/^refs\/(heads|tags)\//, ""));
}

/** What git takes for a place in a commit, and an argument can hold. */
function isPathInTree(path: string): boolean {
  const segments = path.split("/");
  return (
    path.length <= maxPathChars &&
    !segments.some((one) => one === "" || one === "." || one === "..")
  );
}
