import { OneloopError } from "../protocol/errors.ts";

/**
 * A context URL names a repository, and optionally a branch, a tag or a commit of it:
 *
 * ```
 * http(s)://host[:port]/owner/repo[.git]      https://github.com/acme/govapp
 * ssh://[user@]host[:port]/path[.git]         ssh://git@git.example.org:2222/acme/govapp.git
 * user@host:path[.git]                        git@github.com:acme/govapp.git
 * file:///path[.git]                          file:///srv/git/govapp.git
 * ```
 *
 * each with a rest that names the ref, as the pages of git hosts have it:
 *
 * ```
 * <repository>/-/tree/<rest>                  https://gitlab.com/acme/apps/govapp/-/tree/main
 * <repository>.git/tree/<rest>                file:///srv/git/govapp.git/tree/feature/login
 * http(s)://host/owner/repo/tree/<rest>       https://github.com/acme/govapp/tree/feature/login
 * ```
 *
 * A branch may contain slashes and be followed by a folder, so only the repository's refs say where
 * the ref ends: `resolveRef` decides.
 */
export interface ContextUrl {
  readonly kind: "http" | "ssh" | "scp" | "file";
  /** What git is given: canonical, with no credential in it. */
  readonly remote: string;
  /** In lower case, with the port if one is given; null for `file`. */
  readonly host: string | null;
  /** The decoded path of the repository, with a slash in front unless it is `scp`. */
  readonly path: string;
  /** The decoded text after `tree/`, without slashes around it. */
  readonly rest: string | null;
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
  if (trimmed.length > maxUrlChars)
    invalid(`A repository's URL has at most ${maxUrlChars} characters.`);
  if (/[\p{Cc}\p{Cf}\p{Z}\p{Surrogate}\\]/u.test(trimmed)) {
    invalid("A repository's URL has no spaces, control characters or backslashes: remove them.");
  }
  const scp = /^([^@/:]*)@(\[[^\]/]*\]|[^@/:]*):(.*)$/.exec(trimmed);
  if (scp !== null) return parseScp(scp[1] ?? "", scp[2] ?? "", scp[3] ?? "");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed)?.[1]?.toLowerCase();
  switch (scheme) {
    case "http":
    case "https":
    case "ssh":
    case "file":
      return parseUrl(trimmed, scheme);
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

/** The text that parses to the same; see `ContextUrl` for the grammar. */
export function formatContextUrl({ kind, remote, rest }: ContextUrl): string {
  if (rest === null) return remote;
  const between = remote.endsWith(".git") ? "/tree/" : "/-/tree/";
  const encoded = rest.split("/").map(encodeURIComponent).join("/");
  return remote + between + (kind === "scp" ? rest : encoded);
}

function invalid(message: string): never {
  throw new OneloopError("context-url-invalid", message);
}

function parseScp(user: string, host: string, path: string): ContextUrl {
  checkUser(user);
  const segments = path.split("/").filter((segment) => segment !== "");
  const { repository, rest } = splitRest(segments, false);
  checkPath(repository, rest);
  const repositoryPath = (path.startsWith("/") ? "/" : "") + repository.join("/");
  const lower = checkHost(host);
  const remote = `${user}@${lower}:${repositoryPath}`;
  return { kind: "scp", remote, host: lower, path: repositoryPath, rest };
}

function parseUrl(text: string, scheme: "http" | "https" | "ssh" | "file"): ContextUrl {
  if (/[?#]/.test(text)) {
    invalid('Remove what stands behind "?" or "#": a repository\'s URL has neither.');
  }
  const url = URL.canParse(text)
    ? new URL(text)
    : invalid("This is not a well-formed URL: check its host and port.");
  if (url.password !== "") {
    invalid("Remove the password from the URL, and store it as a credential instead.");
  }
  if (scheme !== "ssh" && url.username !== "") {
    // A token is often given in the user's place.
    invalid("Remove the user or token from the URL, and store it as a credential instead.");
  }
  if (url.username !== "") checkUser(url.username);
  const segments = decodeSegments(url.pathname);
  const { repository, rest } = splitRest(segments, scheme === "http" || scheme === "https");
  checkPath(repository, rest);
  const path = `/${repository.join("/")}`;
  const encoded = `/${repository.map(encodePathSegment).join("/")}`;
  if (scheme === "file") {
    if (url.host !== "") invalid("A file URL has three slashes: file:///path/to/repository.");
    return { kind: "file", remote: `file://${encoded}`, host: null, path, rest };
  }
  checkHost(url.hostname);
  const host = url.host.toLowerCase();
  const user = url.username === "" ? "" : `${url.username}@`;
  const kind = scheme === "ssh" ? "ssh" : "http";
  return { kind, remote: `${scheme}://${user}${host}${encoded}`, host, path, rest };
}

/** `~user` and `@scope` stay readable; what a URL cannot hold is encoded. */
function encodePathSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll("%40", "@").replaceAll("%2B", "+");
}

function decodeSegments(pathname: string): string[] {
  try {
    return pathname
      .split("/")
      .filter((segment) => segment !== "")
      .map((segment) => decodeURIComponent(segment));
  } catch {
    return invalid("The URL has a % that encodes nothing: write it as %25.");
  }
}

/** Where the repository's path ends and the ref begins; `page`: `owner/repo/tree/` counts too. */
function splitRest(
  segments: readonly string[],
  page: boolean,
): { repository: readonly string[]; rest: string | null } {
  const at = segments.findIndex(
    (segment, index) =>
      segment === "tree" &&
      index > 0 &&
      (segments[index - 1] === "-" ||
        segments[index - 1]?.endsWith(".git") === true ||
        (page && index === 2)),
  );
  if (at === -1) return { repository: segments, rest: null };
  const end = segments[at - 1] === "-" ? at - 1 : at;
  const rest = segments.slice(at + 1).join("/");
  return { repository: segments.slice(0, end), rest: rest === "" ? null : rest };
}

function checkUser(user: string): void {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(user)) {
    invalid("The user in front of the @ has letters, digits, dots, dashes and underscores only.");
  }
}

function checkHost(host: string): string {
  if (!/^([a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])$/i.test(host)) {
    invalid("The URL's host is no name or address of a machine: check it.");
  }
  return host.toLowerCase();
}

/** Decoded paths and refs are given to git: none may be an option, or climb. */
function checkPath(repository: readonly string[], rest: string | null): void {
  if (repository.length === 0) {
    invalid("The URL names a host but no repository: add its path, such as /acme/app.");
  }
  if (repository[0]?.startsWith("-") === true || rest?.startsWith("-") === true) {
    invalid('Neither a repository\'s path nor a branch may begin with "-".');
  }
  for (const segment of [...repository, ...(rest?.split("/") ?? [])]) {
    if (segment === "." || segment === ".." || /[\p{Cc}\p{Surrogate}\\]/u.test(segment)) {
      invalid('The path has a part that no repository or branch has, such as "..": remove it.');
    }
  }
  if (repository.some((segment) => segment.includes("/"))) {
    invalid("Write a slash in the repository's path as it is, not as %2F.");
  }
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
