/** A submodule as `.gitmodules` names it. */
export interface Submodule {
  readonly name: string;
  /** Below the repository's root, without a slash in front. */
  readonly path: string;
  /** As it stands there: absolute, or relative to the repository's own URL. */
  readonly url: string;
}

/**
 * Reads the output of `git config --list -z` over a `.gitmodules`. What has no path or no URL is no
 * submodule; of two values the last one counts, as for git.
 */
export function parseGitmodules(text: string): Submodule[] {
  const found = new Map<string, { path?: string; url?: string }>();
  for (const entry of text.split("\0")) {
    const [, name = "", key, value = ""] =
      /^submodule\.([^\n]+)\.([a-z]+)\n(.*)$/s.exec(entry) ?? [];
    if (key !== "path" && key !== "url") continue;
    found.set(name, { ...found.get(name), [key]: value });
  }
  return [...found].flatMap(([name, { path, url }]) =>
    path === undefined || url === undefined ? [] : [{ name, path, url }],
  );
}

/**
 * A submodule's URL as git resolves it (gitsubmodules(7)): one that begins with `./` or `../` is
 * relative to the URL of the repository around it.
 *
 * @returns null when it climbs above that URL's host.
 */
export function resolveSubmoduleUrl(parent: string, url: string): string | null {
  if (!/^\.\.?\//.test(url)) return url;
  let base = parent.replace(/\/+$/, "");
  let rest = url;
  for (;;) {
    if (rest.startsWith("./")) {
      rest = rest.slice(2);
    } else if (rest.startsWith("../")) {
      rest = rest.slice(3);
      const shorter = parentOf(base);
      if (shorter === null) return null;
      base = shorter;
    } else {
      return base.endsWith(":") ? `${base}${rest}` : `${base}/${rest}`;
    }
  }
}

/** One step up; null where only the host is left. `host:path` ends at its colon. */
function parentOf(base: string): string | null {
  const root = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i.exec(base)?.[0] ?? /^[^/:]*:/.exec(base)?.[0] ?? "";
  const path = base.slice(root.length);
  if (path === "" || path === "/") return null;
  const slash = path.lastIndexOf("/");
  return slash === -1 ? root : root + path.slice(0, slash);
}
