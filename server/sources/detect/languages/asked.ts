import type { FilePlace } from "../finding.ts";
import { tomlEntry } from "../toml.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { compare, inRange, parseVersion, versionIn } from "../versions.ts";

/** A version of a language that the repository asks for, as it is written there. */
export interface Asked {
  readonly text: string;
  readonly at: FilePlace;
}

/** One that Debian's package is not. */
export interface Wanted extends Asked {
  /** As mise takes it; null for what it does not have, or what cannot be made out. */
  readonly version: string | null;
}

/** Files that name the versions of several tools, in the order in which mise takes them. */
export const managerFiles = ["mise.toml", ".mise.toml", ".tool-versions"] as const;

/**
 * What the version managers' files say, those of the project's folder before those of the root.
 *
 * @param names of the language in the files of several tools.
 * @param own the language's own files, and what stands in them for the version (the first group).
 */
export function askedVersion(
  project: Project,
  names: readonly string[],
  own: readonly (readonly [file: string, pattern: RegExp])[],
): Asked | null {
  for (const folder of project.upward()) {
    for (const name of managerFiles) {
      const file = folder.file(name);
      const asked = file === null ? null : (ofManager(file, names) ?? null);
      if (asked !== null) return asked;
    }
    for (const [name, pattern] of own) {
      const found = folder.file(name)?.find(pattern) ?? null;
      const text = found?.match[1];
      if (found !== null && text !== undefined) return { text: plain(text), at: found.at };
    }
  }
  return null;
}

function ofManager(file: RepositoryFile, names: readonly string[]): Asked | undefined {
  const toml = file.path.endsWith(".toml");
  const found = names.map((name) => (toml ? ofToml(file, name) : ofToolVersions(file, name)));
  return found.find((asked) => asked !== null) ?? undefined;
}

/** `go = "1.22"`, `go = ["1.22", "1.21"]`, `go = { version = "1.22" }`, or in a table of its own. */
function ofToml(file: RepositoryFile, name: string): Asked | null {
  const entry = tomlEntry(file, "tools", name) ?? tomlEntry(file, `tools.${name}`, "version");
  if (entry === null) return null;
  const [, text] =
    /^\{.*\bversion\s*=\s*["']([^"']+)["']/.exec(entry.text) ??
    /^\[?\s*["']([^"']+)["']/.exec(entry.text) ??
    [];
  return text === undefined ? null : { text: plain(text), at: entry.at };
}

function ofToolVersions(file: RepositoryFile, name: string): Asked | null {
  const found = file.find(new RegExp(`^${name}[ \\t]+([^\\s#]+)`, "m"));
  const text = found?.match[1];
  return found === null || text === undefined ? null : { text: plain(text), at: found.at };
}

/** Without what managers allow before the numbers: `v20`, `go1.22`, `ruby-3.3`, `prefix:1.22`. */
function plain(text: string): string {
  return text.trim().replace(/^(?:prefix:|v|go|ruby-|python-|cpython-)(?=\d)/, "");
}

/** Exactly a version, or the newest of a series. Null where Debian's is one. */
export function pinned(asked: Asked, debian: readonly number[]): Wanted | null {
  const { text } = asked;
  if (text === "system") return null;
  const numbers = /^\d+(?:\.\d+){0,2}$/.test(text) ? parseVersion(text) : null;
  if (numbers !== null && compare(debian, numbers) === 0) return null;
  return { ...asked, version: /^(?:\d[\w.+-]*|latest)$/.test(text) ? text : null };
}

/** One of a range. Null where Debian's is in it. */
export function ranged(asked: Asked, debian: readonly number[]): Wanted | null {
  if (inRange(debian, asked.text)) return null;
  return { ...asked, version: versionIn(asked.text) };
}
