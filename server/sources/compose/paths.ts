import { readEnvFile } from "./env-file.ts";
import { Budget, TooMuch } from "./budget.ts";
import { SourceText } from "../yaml/source-text.ts";

/** The text of a file below the repository's root; null where there is none. */
export type ReadFile = (path: string) => string | null;

/** By which a compose project is found in a folder; the first that exists counts. */
export const composePaths = [
  "compose.yaml",
  "compose.yml",
  "docker-compose.yaml",
  "docker-compose.yml",
] as const;

/** Read after it without being asked for, where there is one. */
const overridePaths = [
  "compose.override.yml",
  "compose.override.yaml",
  "docker-compose.override.yml",
  "docker-compose.override.yaml",
] as const;

/**
 * The files that `docker compose` would take in a folder when nobody names any: those of
 * `COMPOSE_FILE` in its `.env`, or the first of `composePaths` with its override. Empty: none.
 *
 * @param folder Below the repository's root, `.` for itself.
 */
export function defaultComposeFiles(folder: string, read: ReadFile): string[] {
  const named = composeFileVariable(folder, read);
  if (named !== null) return named;
  const exists = (name: string): boolean => read(inFolder(folder, name)) !== null;
  const main = composePaths.find(exists);
  if (main === undefined) return [];
  const override = overridePaths.find(exists);
  return [main, ...(override === undefined ? [] : [override])].map((name) =>
    inFolder(folder, name),
  );
}

function composeFileVariable(folder: string, read: ReadFile): string[] | null {
  const path = inFolder(folder, ".env");
  const text = read(path);
  if (text === null) return null;
  const origin = { source: new SourceText(text, path), folder, budget: new Budget() };
  const env = new Map<string, string>();
  try {
    for (const { name, value } of readEnvFile(origin, { outside: new Map() })) env.set(name, value);
  } catch (thrown) {
    if (!(thrown instanceof TooMuch)) throw thrown;
  }
  const files = env.get("COMPOSE_FILE") ?? "";
  if (files === "") return null;
  const separator = env.get("COMPOSE_PATH_SEPARATOR") ?? "";
  const names = files.split(separator === "" ? ":" : separator);
  const resolved = names.map((name) => resolvePath(folder, name));
  return resolved.flatMap((each) => ("path" in each ? [each.path] : []));
}

function inFolder(folder: string, name: string): string {
  return folder === "." ? name : `${folder}/${name}`;
}

/** Why a path is none of the repository's. */
export type Outside = { readonly outside: "absolute" | "home" | "above" | "remote" };

/**
 * A path of a compose file as one below the repository's root (`.` for itself), or why it is none.
 * Nothing is read for it: links in the repository are no matter of ours.
 */
export function resolvePath(folder: string, text: string): { readonly path: string } | Outside {
  if (/^[a-z][a-z0-9+.-]*:\/\/|^git@|^github\.com\//i.test(text)) {
    return { outside: "remote" };
  }
  if (text.startsWith("/") || /^[A-Za-z]:[\\/]/.test(text)) return { outside: "absolute" };
  if (text.startsWith("~")) return { outside: "home" };
  const segments = folder === "." ? [] : folder.split("/");
  for (const segment of text.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") segments.push(segment);
    else if (segments.pop() === undefined) return { outside: "above" };
  }
  return { path: segments.length === 0 ? "." : segments.join("/") };
}

/** The folder of a file below the root. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "." : path.slice(0, slash);
}

/** For a sentence: why such a path is not read. */
export function whyOutside({ outside }: Outside): string {
  switch (outside) {
    case "absolute":
      return "an absolute path is a place of one machine";
    case "home":
      return "a home folder is one person's";
    case "above":
      return "the path leads out of the repository";
    case "remote":
      return "nothing is fetched from elsewhere";
  }
}
