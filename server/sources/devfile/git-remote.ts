/** As long as a context URL may be. In UTF-16 code units. */
const maxUrlChars = 2000;

/** `user@host:path`; `ext::…` is a command to git, and has no user. */
const scpLike = /^[\w][-\w.+]*@[A-Za-z0-9][-\w.]*:[^:].*$/;

/**
 * What is wrong with a remote's URL, as a sentence that says what to do; null when nothing is.
 * Whether it may be fetched is decided where it is.
 */
export function wrongRemote(url: string): string | null {
  const shapes = "https://host/path, ssh://user@host/path or user@host:path";
  const none = `This is no URL of a repository: write one such as ${shapes}.`;
  if (url.length > maxUrlChars || /[\s\p{Cc}]/u.test(url)) return none;
  if (scpLike.test(url)) return null;
  const { protocol, hostname, pathname, username, password } = parse(url) ?? noUrl;
  const isHttp = protocol === "http:" || protocol === "https:";
  if (!isHttp && protocol !== "ssh:" && protocol !== "file:") return none;
  if (password !== "" || (isHttp && username !== "")) {
    return "Everybody can read this devfile: take the credential out of it, and renew it.";
  }
  if ((hostname === "" && protocol !== "file:") || /^\/*$/.test(pathname)) return none;
  return null;
}

/** A folder of refs is named by it. In UTF-16 code units. */
const maxNameChars = 100;

/**
 * What is wrong with a remote's name, as a sentence that says what to do; null where git takes it:
 * `refs/remotes/NAME/x` has to be a ref's name (git-check-ref-format(1)), and none of the others' or
 * below it.
 */
export function wrongRemoteName(name: string, others: Iterable<string>): string | null {
  const isPart = (part: string): boolean =>
    part !== "" && !part.startsWith(".") && !part.endsWith(".lock");
  const isRef = name.split("/").every(isPart) && !/[\s\p{Cc}~^:?*[\\]|\.\.|@\{/u.test(name);
  if (!isRef || name.startsWith("-") || name.length > maxNameChars) {
    return "Git takes no remote of this name: use letters and digits, as in origin.";
  }
  for (const other of others) {
    if (!name.startsWith(`${other}/`) && !other.startsWith(`${name}/`)) continue;
    return `Its branches would be in the folder of the remote ${other}: use another name.`;
  }
  return null;
}

const noUrl = { protocol: "", hostname: "", pathname: "", username: "", password: "" };

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
