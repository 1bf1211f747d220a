import {
  canonicalHost,
  checkRepository,
  checkUser,
  decode,
  decodeSegments,
  invalid,
  readAuthority,
} from "./context-url-checks.ts";
import { locate, providerOf, type Target } from "./context-url-pages.ts";

/**
 * A context URL names a repository, and optionally a branch, tag, commit, or pull request of it.
 * docs/context-urls.md says it for users.
 *
 * ```
 * http(s)://host[:port]/path[.git]       https://github.com/acme/govapp
 * ssh://[user@]host[:port]/path[.git]    ssh://git@git.example.org:2222/acme/govapp.git
 * user@host:path[.git]                   git@github.com:acme/govapp.git
 * file:///path[.git]                     file:///srv/git/govapp.git
 * ```
 *
 * An http URL may be that of a page, as git hosts have them. The host's name decides nothing where
 * the path's shape can; what is known of github.com, gitlab.com, bitbucket.org and codeberg.org only
 * settles what the shape leaves open. Everywhere but there, a path without any of these shapes is
 * the repository's own, however deep.
 *
 * ```
 * owner/repo/<page>                      GitHub, Gitea, Forgejo, Bitbucket Cloud
 * any/number/of/groups/repo/-/<page>     GitLab
 * any/number/of/groups/repo/<page>       GitLab's older URLs, on gitlab.com
 * [prefix/]projects/KEY/repos/repo/<page>   Bitbucket Server; cloned from [prefix/]scm/key/repo.git
 *
 * <page> = tree/<rest>                   a branch, tag or commit, perhaps with a folder behind it
 *        | (blob|raw|blame|commits|src)/<rest>
 *        | (src|blob|raw|blame|commits)/(branch|tag)/<rest>        Gitea
 *        | (src|blob|raw|blame|commits)/commit/<id>[/<path>]       Gitea
 *        | branch/<branch>               Bitbucket Cloud
 *        | commit/<id> | commits/<id>
 *        | releases/tag/<tag> | -/tags/<tag> | -/releases/<tag>
 *        | (pull|pulls|merge_requests|pull-requests)/<number>[/…]
 *        | browse[/<path>][?at=<ref>]    Bitbucket Server
 * ```
 *
 * `?ref_type=heads` or `tags` (GitLab) says which of them a `<rest>` is. Behind `.git/` and `/-/` a
 * page stands in URLs of every kind: `file:///srv/git/govapp.git/tree/feature/login`.
 *
 * A branch may contain slashes and be followed by a folder, so only the repository's refs say where
 * it ends: `resolveRef` decides. Segments are decoded once.
 */
export interface ContextUrl {
  readonly kind: "http" | "ssh" | "scp" | "file";
  /**
   * What git is given, with no credential in it: as it was written, but for the host's case, a
   * default port, slashes without meaning, and the encoding. On the four known hosts `http` becomes
   * `https`; gitlab.com's `.git` is added, because it answers with a redirect without.
   */
  readonly remote: string;
  /**
   * The same for all spellings that certainly are one repository with the same rights; what a
   * workspace and a cache belong to.
   *
   * Same everywhere: what `remote` leaves away; `user@host:/path` and `ssh://user@host/path`.
   * Same on the four known hosts only: with and without `.git`, upper and lower case in the path,
   * http and https, `git@host:path` and `ssh://git@host/path`. On another host, `app` and `app.git`
   * may be two folders, and a path without a slash in front begins in the user's home.
   * Never the same: https and ssh, or two users of ssh, because their rights differ.
   */
  readonly repositoryKey: string;
  /** In lower case and ASCII, with the port unless it is the scheme's own; null for `file`. */
  readonly host: string | null;
  /** The decoded path of the repository, with a slash in front unless it is `scp`. */
  readonly path: string;
  readonly target: Target;
}

const maxUrlChars = 2000;

/**
 * Parses a context URL; blanks around it are left away.
 *
 * @throws OneloopError `context-url-invalid`; its message never repeats the URL, in which a
 *   password could stand.
 */
export function parseContextUrl(text: string): ContextUrl {
  const trimmed = text.trim();
  if (trimmed === "") invalid("Give the URL of a repository, such as https://github.com/acme/app.");
  if (trimmed.length > maxUrlChars) {
    invalid(`A repository's URL has at most ${maxUrlChars} characters.`);
  }
  if (/[\p{Cc}\p{Cf}\p{Z}\p{Surrogate}\\]/u.test(trimmed)) {
    invalid("A repository's URL has no spaces, control characters or backslashes: remove them.");
  }
  const scp = /^([^@/:]*)@(\[[^\]/]*\]|[^@/:]*):(.*)$/.exec(trimmed);
  if (scp !== null) return parseScp(scp[1] ?? "", scp[2] ?? "", scp[3] ?? "");
  const scheme = /^([a-z][a-z0-9+.-]*):(\/\/|:)/i.exec(trimmed)?.[1]?.toLowerCase();
  switch (scheme) {
    case "http":
    case "https":
    case "ssh":
      return parseUrl(trimmed, scheme);
    case "file":
      return parseFile(trimmed);
    case undefined:
      return invalid(
        "This is no repository's URL: begin with https://, http://, ssh://, git@host: or file:///.",
      );
    default:
      return invalid(
        "Repositories are reached by https, http, ssh or file only: use a URL of one of these.",
      );
  }
}

function parseScp(user: string, host: string, path: string): ContextUrl {
  checkUser(user);
  const hostname = canonicalHost(host);
  const segments = path.split("/").filter((segment) => segment !== "");
  const { repository, target } = locate(segments, { host: hostname, web: false, query: new Map() });
  checkRepository(repository);
  if (repository.some((segment) => /[?#]/.test(segment))) refuseExtras();
  const absolute = path.startsWith("/");
  const repositoryPath = (absolute ? "/" : "") + repository.join("/");
  const remote = `${user}@${hostname}:${repositoryPath}`;
  const repositoryKey =
    absolute || providerOf(hostname) !== null
      ? keyOf(`ssh://${user}@${hostname}${encodePath(repository)}`, hostname)
      : remote;
  return { kind: "scp", remote, repositoryKey, host: hostname, path: repositoryPath, target };
}

function parseFile(text: string): ContextUrl {
  const { authority, path, query, fragment } = divide(text);
  if (authority !== "" && authority.toLowerCase() !== "localhost") {
    invalid("A file URL has three slashes: file:///path/to/repository.");
  }
  if (query !== undefined || fragment !== undefined) refuseExtras();
  const about = { host: null, web: false, query: new Map() };
  const { repository, target } = locate(decodeSegments(path), about);
  checkRepository(repository);
  const remote = `file://${encodePath(repository)}`;
  return {
    kind: "file",
    remote,
    repositoryKey: remote,
    host: null,
    path: `/${repository.join("/")}`,
    target,
  };
}

function parseUrl(text: string, scheme: "http" | "https" | "ssh"): ContextUrl {
  const { authority, path, query, fragment } = divide(text);
  const { user, hostname, port } = readAuthority(authority, scheme);
  const host = port === null ? hostname : `${hostname}:${port}`;
  const web = scheme !== "ssh";
  const about = { host, web, query: readQuery(query) };
  const { repository, target, page } = locate(decodeSegments(path), about);
  checkRepository(repository);
  const extras = query !== undefined || fragment !== undefined;
  if (extras && !(web && (page || isDecoration(query, fragment)))) refuseExtras();

  const provider = providerOf(host);
  const safeScheme = web && provider !== null ? "https" : scheme;
  const encoded = encodePath(repository);
  const base = `${safeScheme}://${user === "" ? "" : `${user}@`}${host}${encoded}`;
  const remote = web && provider === "gitlab" && !/\.git$/i.test(base) ? `${base}.git` : base;
  return {
    kind: web ? "http" : "ssh",
    remote,
    repositoryKey: keyOf(base, host),
    host,
    path: `/${repository.join("/")}`,
    target,
  };
}

/** @param base the remote as a URL */
function keyOf(base: string, host: string): string {
  return providerOf(host) === null ? base : base.replace(/(?<=[^/])\.git$/i, "").toLowerCase();
}

function divide(text: string): {
  authority: string;
  path: string;
  query: string | undefined;
  fragment: string | undefined;
} {
  const [, authority = "", path = "", query, fragment] =
    /^[^:]*:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/.exec(text) ??
    invalid("A URL has two slashes behind its scheme: write it as https://host/owner/repository.");
  return { authority, path, query, fragment };
}

/** A plus sign is itself: no ref has a space, for which forms write it. */
function readQuery(text: string | undefined): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const pair of text?.split("&") ?? []) {
    const [name = "", ...value] = pair.split("=");
    if (!query.has(name)) query.set(name, decode(value.join("=")));
  }
  return query;
}

/**
 * What GitHub itself adds to a repository's URL: its tabs, and a heading of the page below. Any
 * other text there may be meant as a branch (`#main`, `?ref=main`), which must not be lost.
 */
function isDecoration(query: string | undefined, fragment: string | undefined): boolean {
  if (query === undefined) return fragment === "readme";
  return /^tab=[a-z-]*$/.test(query);
}

function refuseExtras(): never {
  invalid(
    'Remove what stands behind "?" or "#". A branch is named like this: …/acme/app.git/tree/<branch>.',
  );
}

/** `~user` and `@scope` stay readable; what a URL cannot hold is encoded. */
function encodePath(segments: readonly string[]): string {
  return segments
    .map((segment) => encodeURIComponent(segment).replaceAll("%40", "@").replaceAll("%2B", "+"))
    .map((segment) => `/${segment}`)
    .join("");
}

/** `govapp` of `…/acme/govapp.git`: a safe name of one folder, at most 64 characters. */
export function repositoryName({ path }: Pick<ContextUrl, "path">): string {
  const maxChars = 64;
  const last = path.split("/").findLast((segment) => segment !== "") ?? "";
  const safe = last
    .replace(/\.git$/i, "")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, maxChars)
    .replace(/[.-]+$/, "");
  return safe === "" ? "repository" : safe;
}
