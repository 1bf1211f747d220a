/** As the API takes it. */
const maxLength = 4000;

/** `user@host:path`, as git and git hosts write it; a local path has a slash before the colon. */
const scpLike = /^[\w.-]+@[\w.-]+:[^\s/][^\s]*$/;

/**
 * What keeps a text from being a context URL, in words; null where it may be one. The control plane
 * judges it in full; this only keeps a link from filling the page with anything else.
 */
export function contextUrlProblem(text: string): string | null {
  const url = text.trim();
  if (url === "") return "Give the URL of a repository.";
  if (url.length > maxLength) return "This is longer than any repository's URL.";
  if (/[\s\p{Cc}\p{Cf}]/u.test(url)) return "A URL has no spaces and no invisible characters.";
  if (scpLike.test(url)) return null;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    return "Begin with https://, ssh:// or file://, or write it as git@host:owner/repository.";
  }
  if (!["http", "https", "ssh", "file"].includes(scheme)) {
    return `A repository is not opened over ${scheme}. Use https, ssh or file.`;
  }
  if (!URL.canParse(url)) return "This is not a whole URL.";
  const { host, pathname, password } = new URL(url);
  if (password !== "") {
    return "Leave the password out of the URL. Store it under Settings, Credentials.";
  }
  if (scheme !== "file" && host === "") return "This URL names no host.";
  if (pathname.length < 2) return "This URL names no repository.";
  return null;
}

/**
 * The context URL in an address's fragment (without its `#`), as it is or percent-encoded as a
 * whole; the empty string where there is none.
 */
export function suggestedContextUrl(fragment: string): string {
  let text = fragment;
  if (!fragment.includes(":")) {
    try {
      text = decodeURIComponent(fragment);
    } catch {
      return "";
    }
  }
  return contextUrlProblem(text) === null ? text.trim() : "";
}
