/**
 * The context URL in a link to our own page, which stands behind its `#`:
 *
 * ```
 * http://app.localhost:7700/#https://github.com/acme/app/tree/feature/login
 * ```
 *
 * Some programs encode a link's fragment as a whole; it is decoded then. What comes out is a
 * stranger's text that `parseContextUrl` has yet to judge.
 *
 * @param ownOrigins such as `http://app.localhost:7700`, each without a trailing slash.
 * @returns null when `url` is no such link.
 */
export function contextUrlOfOwnLink(url: string, ownOrigins: readonly string[]): string | null {
  const text = url.trim();
  const at = text.indexOf("#");
  if (at === -1) return null;
  const page = text.slice(0, at);
  const fragment = text.slice(at + 1);
  if (fragment === "" || !URL.canParse(page)) return null;
  const { origin, pathname, username, password } = new URL(page);
  if (!ownOrigins.includes(origin) || pathname !== "/" || username + password !== "") return null;
  if (fragment.includes(":")) return fragment;
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
