import { checkSegments, invalid } from "./context-url-checks.ts";
import { isRefName } from "./ref-name.ts";

/** What a context URL names in its repository. The refs that exist decide the rest: `resolveRef`. */
export type Target =
  | {
      /** Where the remote's HEAD stands. */
      readonly kind: "head";
      /** A folder or file below it, if the URL shows one. */
      readonly path: string | null;
    }
  | {
      readonly kind: "ref";
      /** `any`: a branch before a tag before a commit, as the URL does not say. */
      readonly among: "heads" | "tags" | "any";
      /** The decoded segments; with `ends` false the last of them may be a path in the ref. */
      readonly text: string;
      readonly ends: boolean;
      /** Null where none is given, and where it is the end of `text`. */
      readonly path: string | null;
    }
  | {
      readonly kind: "commit";
      /** 7 to 40 hex digits in lower case. */
      readonly id: string;
      readonly path: string | null;
    }
  | {
      /** A pull or merge request. */
      readonly kind: "change";
      readonly number: number;
      /** The ref under which its host shows it to git. */
      readonly ref: string;
    };

export interface Located {
  readonly repository: readonly string[];
  readonly target: Target;
  /** Whether the URL is that of a page, and not of the repository alone. */
  readonly page: boolean;
}

type Provider = "github" | "gitlab" | "bitbucket" | "gitea";

/** Hosts whose shapes and habits are known for certain; every other may be of any kind. */
const providers = new Map<string | null, Provider>([
  ["github.com", "github"],
  ["gitlab.com", "gitlab"],
  ["bitbucket.org", "bitbucket"],
  ["codeberg.org", "gitea"],
]);

export function providerOf(host: string | null): Provider | null {
  return providers.get(host) ?? null;
}

/**
 * GitLab lets no project and no group below the first be named so, therefore the first of them ends
 * the project's path (docs.gitlab.com, "Reserved project and group names").
 */
const gitlabReserved = new Set(["tree", "blob", "raw", "blame", "commits"]);

interface Context {
  /** Git hosts show pages of http URLs; other URLs have the marked shapes only. */
  readonly web: boolean;
  readonly provider: Provider | null;
  /** Behind `/-/`. */
  readonly marked: boolean;
  readonly query: ReadonlyMap<string, string>;
}

/**
 * Divides a URL's path into the repository's and the page's.
 *
 * @param segments decoded
 * @param about.web whether it is an http URL
 */
export function locate(
  segments: readonly string[],
  about: { host: string | null; web: boolean; query: ReadonlyMap<string, string> },
): Located {
  const { web, query } = about;
  const provider = web ? providerOf(about.host) : null;
  const context = { web, provider, marked: false, query };
  const located = (web && provider === null ? bitbucketServer(segments, query) : null) ??
    afterMark(segments, { ...context, marked: true }) ??
    afterSuffix(segments, context) ??
    (web ? byProvider(segments, context) : null) ?? {
      repository: segments,
      target: { kind: "head", path: null },
      page: false,
    };
  // No project of a git host is called so; it stood before a page that names nothing.
  if (web && located.repository.includes("-", 1)) unknownPage();
  if (provider !== null && located.repository.length === 1) {
    invalid("The URL names an owner but no repository: write it as https://host/owner/repository.");
  }
  return located;
}

/** `[context/]projects/KEY/repos/repo/…`, whose clone URL is `[context/]scm/key/repo.git`. */
function bitbucketServer(
  segments: readonly string[],
  query: ReadonlyMap<string, string>,
): Located | null {
  const at = segments[0] === "projects" || segments[0] === "users" ? 0 : 1;
  const [area, owner, repos, name, ...page] = segments.slice(at);
  if (area !== "projects" && area !== "users") return null;
  if (owner === undefined || name === undefined || repos !== "repos") return null;
  const target = bitbucketServerPage(page, query);
  // Below a context path only a page tells it from a project of GitLab's.
  if (at > 0 && (target === null || page.length === 0)) return null;
  const key = (area === "users" ? `~${owner}` : owner).toLowerCase();
  const repository = [...segments.slice(0, at), "scm", key, `${name.replace(/\.git$/, "")}.git`];
  return { repository, target: target ?? unknownPage(), page: true };
}

function bitbucketServerPage(
  [word, ...rest]: readonly string[],
  query: ReadonlyMap<string, string>,
): Target | null {
  switch (word) {
    case undefined:
    case "browse":
    case "raw": {
      const path = knownPath(rest);
      const at = query.get("at");
      if (at === undefined) return { kind: "head", path };
      return refTarget(at.split("/"), { among: "any", ends: true, path });
    }
    case "commits":
      return commitTarget(rest[0], []);
    case "pull-requests":
      return changeTarget(word, rest);
    default:
      return null;
  }
}

/** `<repository>/-/<page>`: GitLab's, and ours for every repository. */
function afterMark(segments: readonly string[], context: Context): Located | null {
  const at = segments.indexOf("-", 1);
  if (at === -1 || !mayEndAt(at, segments, context)) return null;
  const target = readPage(segments.slice(at + 1), context);
  return target === null ? null : { repository: segments.slice(0, at), target, page: true };
}

/** `<repository>.git/<page>`. */
function afterSuffix(segments: readonly string[], context: Context): Located | null {
  for (const [index, segment] of segments.entries()) {
    if (!/.\.git$/i.test(segment) || !mayEndAt(index + 1, segments, context)) continue;
    const target = readPage(segments.slice(index + 1), context);
    if (target !== null) return { repository: segments.slice(0, index + 1), target, page: true };
  }
  return null;
}

/** Whether the repository's path may have `end` segments: a page before that has a path of its own. */
function mayEndAt(end: number, segments: readonly string[], { web, provider }: Context): boolean {
  if (!web) return true;
  const isPage = segments.slice(2, end).some((segment) => gitlabReserved.has(segment));
  switch (provider) {
    case "github":
    case "bitbucket":
    case "gitea":
      return end === 2;
    case "gitlab":
    case null:
      return !isPage;
  }
}

function byProvider(segments: readonly string[], context: Context): Located | null {
  const end = context.provider === "gitlab" ? gitlabEnd(segments, context) : 2;
  if (segments.length <= end) return null;
  const target = readPage(segments.slice(end), context);
  if (target !== null) return { repository: segments.slice(0, end), target, page: true };
  // Elsewhere it is the path of a repository in nested groups.
  return context.provider === null ? null : unknownPage();
}

/** Where a project's path ends in GitLab's older URLs, which have no `/-/`. */
function gitlabEnd(segments: readonly string[], context: Context): number {
  const at = segments.findIndex(
    (word, index) =>
      index >= 2 &&
      (gitlabReserved.has(word) ||
        ((word === "commit" || word === "merge_requests") &&
          readPage(segments.slice(index), context) !== null)),
  );
  return at === -1 ? segments.length : at;
}

/** @returns null when the segments are no page that names something. */
function readPage([word, ...rest]: readonly string[], context: Context): Target | null {
  switch (word) {
    case "tree":
      if (rest.length === 0) return { kind: "head", path: null };
      return refTarget(rest, { among: amongOfQuery(context.query), ends: false });
    case "src":
    case "blob":
    case "raw":
    case "blame":
    case "commits":
      if (hasTypedRefs(word, context) && rest.length > 1) {
        const [type, ...typed] = rest;
        if (type === "branch") return refTarget(typed, { among: "heads", ends: false });
        if (type === "tag") return refTarget(typed, { among: "tags", ends: false });
        if (type === "commit") return commitTarget(typed[0], typed.slice(1));
      }
      if (rest.length === 0) return null;
      if (word === "commits" && rest.length === 1 && isFullCommit(rest[0])) {
        return commitTarget(rest[0], []);
      }
      return refTarget(rest, { among: amongOfQuery(context.query), ends: false });
    case "branch":
      return rest.length === 0 ? null : refTarget(rest, { among: "heads", ends: true });
    case "commit":
      return commitTarget(rest[0], []);
    case "pull":
    case "pulls":
    case "merge_requests":
    case "pull-requests":
      return changeTarget(word, rest);
    case "releases":
    case "tags": {
      const tag = word === "releases" && rest[0] === "tag" ? rest.slice(1) : rest;
      if (tag.length === 0 || (tag === rest && !context.marked)) return null;
      return refTarget(tag, { among: "tags", ends: true });
    }
    case undefined:
    default:
      return null;
  }
}

/** Gitea's `src/branch/main`, where GitHub, GitLab and Bitbucket would mean `branch/main` by it. */
function hasTypedRefs(word: string, { provider, marked }: Context): boolean {
  if (marked) return word === "src";
  switch (provider) {
    case "gitea":
    case null:
      return true;
    case "bitbucket":
      return word === "commits";
    case "github":
    case "gitlab":
      return false;
  }
}

/** GitLab's `?ref_type=heads`. */
function amongOfQuery(query: ReadonlyMap<string, string>): "heads" | "tags" | "any" {
  const type = query.get("ref_type");
  return type === "heads" || type === "tags" ? type : "any";
}

function refTarget(
  segments: readonly string[],
  options: { among: "heads" | "tags" | "any"; ends: boolean; path?: string | null },
): Target {
  const joined = segments.join("/");
  const full = options.among === "any" ? /^refs\/(heads|tags)\/(.*)$/s.exec(joined) : null;
  const text = full?.[2] ?? joined;
  const among = (full?.[1] as "heads" | "tags" | undefined) ?? options.among;
  const [first = "", ...more] = text.split("/");
  checkSegments([first, ...more]);
  const begin = more.length === 0 ? first : `${first}/x`;
  if (!isRefName(options.ends ? text : begin) || more.includes("")) {
    invalid(
      "Git allows no branch or tag of this name: none begins with a dash or a dot, ends in " +
        '".lock", or has "..", a space or one of ~ ^ : ? * [ in it.',
    );
  }
  return { kind: "ref", among, text, ends: options.ends, path: options.path ?? null };
}

function isFullCommit(text: string | undefined): boolean {
  return /^[0-9a-f]{40}$/i.test(text ?? "");
}

function commitTarget(id: string | undefined, path: readonly string[]): Target | null {
  if (id === undefined || !/^[0-9a-f]{7,40}$/i.test(id)) return null;
  return { kind: "commit", id: id.toLowerCase(), path: knownPath(path) };
}

function changeTarget(
  word: "pull" | "pulls" | "merge_requests" | "pull-requests",
  [number = "", page, commit]: readonly string[],
): Target | null {
  if (!/^[1-9]\d{0,8}$/.test(number)) return null;
  if (page === "commits" && commit !== undefined) return commitTarget(commit, []);
  return { kind: "change", number: Number(number), ref: changeRef(word, number) };
}

function changeRef(
  word: "pull" | "pulls" | "merge_requests" | "pull-requests",
  number: string,
): string {
  switch (word) {
    case "pull":
    case "pulls":
      return `refs/pull/${number}/head`;
    case "merge_requests":
      return `refs/merge-requests/${number}/head`;
    case "pull-requests":
      return `refs/pull-requests/${number}/from`;
  }
}

function knownPath(segments: readonly string[]): string | null {
  const parts = segments.flatMap((segment) => segment.split("/")).filter((part) => part !== "");
  checkSegments(parts);
  const path = parts.join("/");
  if (path.startsWith("-")) invalid('The path of a file or folder may not begin with "-".');
  return path === "" ? null : path;
}

function unknownPage(): never {
  return invalid(
    "This page of the repository names no branch, tag, commit or pull request. Open the " +
      "repository itself, or such a page of it: …/tree/<branch>, …/commit/<id>, …/pull/<number>.",
  );
}
