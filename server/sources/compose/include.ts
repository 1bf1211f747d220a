import { quote } from "../yaml/source-text.ts";
import type { EnvEntry } from "./env-file.ts";
import type { Loader, Scope } from "./load.ts";
import { entry, map, textOf } from "./part.ts";
import type { Environment, MapPart, Mark, Part, PartEntry } from "./part.ts";
import { folderOf, resolvePath, whyOutside } from "./paths.ts";

/** An included file's files are bounded by the budget; a chain of files by this. */
const maxIncludes = 32;

/** An include costs as much as this many parts: two in each of 30 files would be a thousand million. */
const stepsOfInclude = 2000;

/** Parts of the top level that an included project adds. */
const shared = ["services", "networks", "volumes", "secrets", "configs", "models"] as const;

/**
 * A project of several files with what they include. Each included project is read by itself, with
 * its own folder and variables, and its parts are added (compose-spec, "Include").
 *
 * @param open The first files of the projects around this one.
 */
export function loadProject(
  loader: Loader,
  project: { paths: readonly { path: string; at: Mark | null }[]; scope: Scope },
  open: readonly string[] = [],
): MapPart | null {
  const { paths, scope } = project;
  const main = loader.project(paths, scope);
  if (main === null) return null;
  const included = main.entries.get("include")?.value;
  const entries = new Map(main.entries);
  entries.delete("include");
  const own = map(entries, main);
  if (included === undefined) return own;
  if (included.kind !== "list") {
    if (included.kind !== "scalar" || included.value !== null) {
      included.mark.error("wrong-type", "This must be a list of files to include.");
    }
    return own;
  }
  const around = [...open, paths[0]?.path ?? ""];
  let all = own;
  for (const item of included.items) {
    loader.budget.spend(stepsOfInclude);
    const other = loadIncluded(loader, item, { scope, around });
    if (other !== null) all = added(all, other);
  }
  return all;
}

function loadIncluded(
  loader: Loader,
  item: Part,
  { scope, around }: { scope: Scope; around: readonly string[] },
): MapPart | null {
  const wish = item.kind === "map" ? item : null;
  for (const [key, { key: at }] of wish?.entries ?? []) {
    if (["path", "project_directory", "env_file"].includes(key) || key.startsWith("x-")) continue;
    at.error("unknown-key", `Nothing is called ${quote(key)} in an include: remove it.`);
  }
  const pathPart = wish === null ? item : entry(wish, "path");
  if (pathPart === null) {
    item.mark.error("missing-key", "The key `path` is missing: name the file to include.");
    return null;
  }
  const paths = listed(pathPart).map((part) => pathOf(loader, part));
  const [first] = paths;
  if (first === undefined || paths.some((each) => each === null) || first === null) return null;
  if (around.includes(first.path)) {
    const way = [...around, first.path].join(" → ");
    first.at.error("include-cycle", `This file includes itself in the end: ${way}. Cut it.`);
    return null;
  }
  if (around.length > maxIncludes) {
    first.at.error("too-deep", `More than ${maxIncludes} files include another in a row.`);
    return null;
  }
  const folderPart = wish === null ? null : entry(wish, "project_directory");
  const folder = folderPart === null ? null : pathOf(loader, folderPart);
  if (folderPart !== null && folder === null) return null;
  const base = folder?.path ?? folderOf(first.path);
  const envPart = wish === null ? null : entry(wish, "env_file");
  const env = includedEnv(loader, { first: first.at, folder: base, envPart }, scope.env);
  const known = paths.flatMap((each) => each ?? []);
  return loadProject(loader, { paths: known, scope: { folder: base, env } }, around);
}

/** The project's own variables come before those of the included project's env files. */
function includedEnv(
  loader: Loader,
  { first, folder, envPart }: { first: Mark; folder: string; envPart: Part | null },
  outer: Environment,
): Environment {
  const origin = { ...first.origin, folder, env: outer };
  if (envPart === null) {
    const path = folder === "." ? ".env" : `${folder}/.env`;
    return withDefaults(outer, loader.envFile(path, origin) ?? []);
  }
  const all: EnvEntry[] = [];
  for (const part of listed(envPart)) {
    const found = pathOf(loader, part);
    if (found === null) continue;
    const entries = loader.envFile(found.path, origin);
    if (entries !== null) all.push(...entries);
    else part.mark.warning("missing-file", `The repository has no file ${quote(found.path)}.`);
  }
  return withDefaults(outer, all);
}

/** Adds what env files set and nobody outside has; the later of two counts. */
export function withDefaults(outer: Environment, entries: readonly EnvEntry[]): Environment {
  const known = entries.filter(({ unset }) => unset.length === 0);
  return new Map([...known.map(({ name, value }) => [name, value] as const), ...outer]);
}

function pathOf(loader: Loader, part: Part): { path: string; at: Mark } | null {
  const text = textOf(part);
  if (text === null) return null;
  const resolved = resolvePath(part.mark.origin.folder, text);
  if ("path" in resolved) return { path: resolved.path, at: part.mark };
  if (resolved.outside === "remote") loader.notRead(part.mark, `include of ${quote(text)}`);
  else part.mark.error("outside-repository", `This is not read: ${whyOutside(resolved)}.`);
  return null;
}

function listed(part: Part): readonly Part[] {
  return part.kind === "list" ? part.items : [part];
}

function added(main: MapPart, other: MapPart): MapPart {
  const entries = new Map(main.entries);
  for (const section of shared) {
    const from = other.entries.get(section);
    if (from?.value.kind !== "map") continue;
    const to = entries.get(section);
    const own = to?.value.kind === "map" ? to.value.entries : new Map<string, PartEntry>();
    main.mark.origin.budget.spend(own.size + from.value.entries.size);
    const all = new Map(own);
    for (const [name, each] of from.value.entries) {
      const same = own.get(name);
      if (same === undefined) all.set(name, each);
      else if (!isSame(same.value, each.value)) {
        each.key.error(
          "include-conflict",
          `${quote(name)} of ${section} is there twice, and differs: rename one.`,
        );
      }
    }
    entries.set(section, { key: from.key, value: map(all, to?.value ?? from.value) });
  }
  return map(entries, main);
}

function isSame(one: Part, other: Part): boolean {
  one.mark.origin.budget.spend(1);
  if (one.kind === "scalar") return other.kind === "scalar" && one.value === other.value;
  if (one.kind === "list") {
    if (other.kind !== "list" || other.items.length !== one.items.length) return false;
    return one.items.every((item, at) => {
      const same = other.items[at];
      return same !== undefined && isSame(item, same);
    });
  }
  if (other.kind !== "map" || other.entries.size !== one.entries.size) return false;
  return Array.from(one.entries).every(([name, { value }]) => {
    const same = other.entries.get(name);
    return same !== undefined && isSame(value, same.value);
  });
}
