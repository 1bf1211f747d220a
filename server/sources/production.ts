import { basename, dirname } from "node:path/posix";
import { OneloopError } from "../protocol/errors.ts";
import { composePaths, defaultComposeFiles, resolvePath } from "./compose/paths.ts";
import { readCompose } from "./compose/read.ts";
import type { DevfileDocument } from "./devfile/flatten.ts";
import { devfilePaths, neededDocuments, readDevfile } from "./devfile/read.ts";
import {
  findIn,
  readFilesWith,
  type FindFile,
  type ListedFile,
  type SourceFiles,
} from "./files.ts";
import { herokuPaths, readHeroku } from "./heroku/read.ts";
import { kustomizationNames } from "./kubernetes/kustomize-files.ts";
import { isKustomization } from "./kubernetes/kustomize.ts";
import { readKubernetes, type KubernetesFile } from "./kubernetes/read.ts";
import type { ReadResult } from "./result.ts";

/** A folder of manifests has some dozens; one of a whole repository is not meant. */
const maxFiles = 2000;
const maxDepth = 6;
/** A rendered chart of hundreds of objects has less; a larger file is data. */
const maxFileBytes = 4 * 1024 * 1024;
const passedOver: ReadonlySet<string> = new Set([".git", "node_modules"]);

/** Where production's objects usually lie. */
const offeredFolders = ["k8s", "kubernetes", "manifests", "deploy"];
/** Folders below each other that are offered, and how many of each level are looked into. */
const maxOfferedDepth = 3;
const maxFoldersLookedAt = 20;
const maxOfferedFolders = 10;
/** What usually makes production of a compose file. */
const composeOver = ["compose", "docker-compose"].flatMap((name) =>
  ["prod", "production"].flatMap((kind) => [`${name}.${kind}.yaml`, `${name}.${kind}.yml`]),
);
/** Files of which a folder is known for what it is. */
const wholeNames: ReadonlySet<string> = new Set([
  ...composePaths,
  ...herokuPaths,
  ...devfilePaths,
  ...kustomizationNames,
]);
/** To find out whether there are objects in a folder, a few of its files are enough. */
const maxLookedAt = 20;
const maxLookedAtBytes = 256 * 1024;

export interface SourceReading {
  /** What counts of several in one folder: what is developed (a devfile), or what runs elsewhere. */
  readonly prefers: "development" | "production";
  /** Puts a kustomize folder together; absent: it is refused. */
  readonly render?: (folder: string) => Promise<readonly KubernetesFile[]>;
  /** How diagnostics name a file of Kubernetes objects; absent: by its path. */
  readonly nameOf?: (path: string) => string;
}

export interface SourceRead {
  /** What was read, as its user knows it: `compose.yaml`, `k8s/`, or `.` for the root. */
  readonly source: string;
  readonly result: ReadResult;
}

/**
 * A path of a repository as this module names it: `k8s` for `./k8s/`, `.` for the root.
 *
 * @throws OneloopError `bad-input` for one that leads out of it
 */
export function sourcePath(given: string): string {
  const resolved = resolvePath(".", given.trim());
  if ("path" in resolved) return resolved.path;
  throw new OneloopError(
    "bad-input",
    `${JSON.stringify(given.slice(0, 200))} is no path of the repository: name a file or folder in it, such as k8s or compose.yaml.`,
  );
}

/**
 * What is mirrored, as people write it: one path, or several compose files over one another, in the
 * order of `docker compose -f`, separated by commas.
 *
 *     k8s/      compose.yaml, compose.prod.yaml
 *
 * @throws OneloopError `bad-input` as `sourcePath`, and for no path at all
 */
export function sourcePaths(given: string): string[] {
  const paths = given.split(",").filter((path) => path.trim() !== "");
  return (paths.length === 0 ? [given] : paths).map(sourcePath);
}

/** Reads what `sourcePaths` takes. @throws OneloopError as `readSource` */
export async function readSources(
  given: string,
  files: SourceFiles,
  reading: SourceReading,
): Promise<SourceRead> {
  const paths = sourcePaths(given);
  const [only, ...others] = paths;
  if (only !== undefined && others.length === 0) return readSource(only, files, reading);
  const listed = await files.list(paths);
  const missing = paths.find((path) => !listed.some((one) => one.path === path));
  if (missing !== undefined) throw noSuchSource(missing, await offeredSources(files));
  const find = findIn(files, maxFileBytes);
  for (const path of paths) {
    if (isCompose(path, (await find(path)) ?? "")) continue;
    throw new OneloopError(
      "bad-input",
      `${path} is no compose file, and only compose files are put over one another. Name one file or folder.`,
    );
  }
  const result = await readFilesWith(find, (read) => readCompose(paths, { read }));
  return { source: paths.join(", "), result };
}

/**
 * Reads what a file or folder says of the services that run, by the reader that its path and content
 * call for: compose files, a Procfile with app.json, Kubernetes objects, a devfile.
 *
 * @param path Below the root, see `sourcePath`.
 * @throws OneloopError `bad-input` where there is nothing that can be read, `plan-impossible` for what
 * only another tool puts together
 */
export async function readSource(
  path: string,
  files: SourceFiles,
  reading: SourceReading,
): Promise<SourceRead> {
  const find = findIn(files, maxFileBytes);
  const parts = { files, find, reading };
  const entry = path === "." ? null : (await files.list([path])).find((one) => one.path === path);
  if (entry === undefined) throw noSuchSource(path, await offeredSources(files));
  if (entry === null) return { source: ".", result: await ofFolder(path, parts) };
  if (entry.kind === "folder") return { source: `${path}/`, result: await ofFolder(path, parts) };
  refuseLarge([entry]);
  return { source: path, result: await ofFile(path, parts) };
}

/** What of a repository looks as if it says how production runs: each can be mirrored. */
export async function offeredSources(files: SourceFiles): Promise<string[]> {
  const root = await files.list([]);
  const names = new Set(root.filter(({ kind }) => kind === "file").map(({ path }) => path));
  const folders = offeredFolders.filter((name) =>
    root.some(({ path, kind }) => path === name && kind === "folder"),
  );
  const found: ListedFile[] = [];
  let level: readonly string[] = folders;
  // A base and its overlays, say: deploy/overlays/prod.
  for (let depth = 0; depth < maxOfferedDepth && level.length > 0; depth += 1) {
    const entries = await entriesOf(level, files);
    found.push(...entries.filter(({ kind, path }) => kind === "file" && isManifest(path)));
    level = entries
      .filter(({ kind, path }) => kind === "folder" && !passedOver.has(basename(path)))
      .map(({ path }) => path)
      .slice(0, maxFoldersLookedAt);
  }
  const within = [...new Set([...folders, ...found.map(({ path }) => dirname(path))])];
  const looked = within.flatMap((folder) =>
    found.filter(({ path }) => dirname(path) === folder).slice(0, maxLookedAt),
  );
  const texts = looked.length === 0 ? new Map() : await files.texts(looked, maxLookedAtBytes);
  const objects = looked.filter(({ path }) => hasObjects(texts.get(path) ?? ""));
  const inFolders = new Set(objects.map(({ path }) => dirname(path)));
  // The whole folder, and each in it that has some of the objects and not all.
  const withObjects = within.filter((folder) => {
    const whole = folders.find((one) => isIn(one, `${folder}/`)) ?? folder;
    const parts = [...inFolders].filter((one) => isIn(whole, `${one}/`));
    return folder === whole ? parts.length > 0 : inFolders.has(folder) && parts.length > 1;
  });
  const compose = composePaths.find((name) => names.has(name));
  const over = composeOver.find((name) => names.has(name));
  return [
    ...withObjects.slice(0, maxOfferedFolders).map((folder) => `${folder}/`),
    ...(compose === undefined ? [] : [compose]),
    ...(compose === undefined || over === undefined ? [] : [`${compose}, ${over}`]),
    ...(names.has(herokuPaths[0]) ? [herokuPaths[0]] : []),
  ];
}

function isIn(folder: string, path: string): boolean {
  return path.startsWith(`${folder}/`);
}

async function entriesOf(
  folders: readonly string[],
  files: SourceFiles,
): Promise<readonly ListedFile[]> {
  if (folders.length === 0) return [];
  return files.list(folders.map((folder) => `${folder}/`));
}

interface Parts {
  readonly files: SourceFiles;
  readonly find: FindFile;
  readonly reading: SourceReading;
}

async function ofFolder(folder: string, parts: Parts): Promise<ReadResult> {
  const { files, find, reading } = parts;
  const entries = await files.list(folder === "." ? [] : [`${folder}/`]);
  const found = entries.filter(({ kind }) => kind === "file");
  const names = new Set(found.map(({ path }) => basename(path)));
  refuseLarge(found.filter(({ path }) => wholeNames.has(basename(path))));
  const kustomization = kustomizationNames.find((name) => names.has(name));
  if (kustomization !== undefined) {
    const text = await find(inFolder(folder, kustomization));
    if (text !== null && isKustomization(text)) return rendered(folder, reading);
  }
  const devfile = async (): Promise<ReadResult | null> => {
    // `.devfile/devfile.yaml` stands below.
    const found = devfilePaths.find((name) => names.has(name));
    return found === undefined ? null : ofFile(inFolder(folder, found), parts);
  };
  const compose = async (): Promise<ReadResult | null> => {
    const paths = await readFilesWith(find, (read) => defaultComposeFiles(folder, read));
    return paths.length === 0
      ? null
      : readFilesWith(find, (read) => readCompose(paths, { read, folder }));
  };
  const heroku = async (): Promise<ReadResult | null> =>
    names.has(herokuPaths[0]) ? ofHeroku(folder, parts) : null;
  const kubernetes = async (): Promise<ReadResult | null> => {
    const found = await manifests(folder, parts);
    return found.length === 0 ? null : readKubernetes(found);
  };
  const tried =
    reading.prefers === "development"
      ? [devfile, compose, heroku, kubernetes]
      : [compose, heroku, kubernetes, devfile];
  for (const reader of tried) {
    const result = await reader();
    if (result !== null) return result;
  }
  throw new OneloopError(
    "bad-input",
    `${folder} has no devfile, compose file, Procfile or Kubernetes object. Name a file, or another folder.`,
  );
}

async function ofFile(path: string, parts: Parts): Promise<ReadResult> {
  const { find, reading } = parts;
  const name = basename(path);
  if ((herokuPaths as readonly string[]).includes(name)) return ofHeroku(dirname(path), parts);
  const text = (await find(path)) ?? "";
  if (/^\s*"?schemaVersion"?\s*:/m.test(text)) return ofDevfile(path, text, find);
  if (isCompose(path, text)) {
    return readFilesWith(find, (read) => readCompose([path], { read }));
  }
  if (kustomizationNames.includes(name) && isKustomization(text)) {
    return rendered(dirname(path), reading);
  }
  return readKubernetes([{ path: reading.nameOf?.(path) ?? path, text }]);
}

/** One that puts something over another may say nothing but what is another's, such as volumes. */
function isCompose(path: string, text: string): boolean {
  const isNamed = /^(docker-)?compose[\w.-]*\.ya?ml$/.test(basename(path));
  return isNamed || (/^services\s*:/m.test(text) && !/^apiVersion\s*:/m.test(text));
}

/** With the parents and plugins that stand in the repository. */
async function ofDevfile(path: string, text: string, find: FindFile): Promise<ReadResult> {
  const documents = new Map<string, DevfileDocument>();
  for (;;) {
    const needed = neededDocuments(text, path, documents).flatMap(({ name, location }) =>
      location.kind === "repository" ? [{ name, path: location.path }] : [],
    );
    if (needed.length === 0) return readDevfile(text, path, documents);
    for (const one of needed) {
      const found = await find(one.path);
      const failure = `There is no file ${one.path} that can be read.`;
      documents.set(one.name, found === null ? { failure } : { text: found });
    }
  }
}

function ofHeroku(folder: string, { find }: Parts): Promise<ReadResult> {
  return readFilesWith(find, (read) => readHeroku((path) => read(inFolder(folder, path))));
}

async function rendered(folder: string, { render }: SourceReading): Promise<ReadResult> {
  if (render !== undefined) return readKubernetes(await render(folder));
  throw new OneloopError(
    "plan-impossible",
    `${folder} is put together by kustomize, which is not run here. Write its objects to a file of the repository (\`kubectl kustomize ${folder} > mirror.yaml\`), and name that: mirror.yaml.`,
  );
}

/** A chart's values and a package's settings are no objects. */
async function manifests(folder: string, parts: Parts): Promise<KubernetesFile[]> {
  const { files, reading } = parts;
  const found: { path: string; kind: "file"; size: number }[] = [];
  let level = [folder === "." ? "" : `${folder}/`];
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth += 1) {
    const entries = await files.list(level[0] === "" ? [] : level);
    for (const { path, kind, size } of entries) {
      if (kind === "file" && isManifest(path)) found.push({ path, kind, size });
    }
    if (found.length > maxFiles) {
      throw new OneloopError(
        "bad-input",
        `${folder} has over ${maxFiles} files: name the one with the objects.`,
      );
    }
    level = entries
      .filter(({ path, kind }) => kind === "folder" && !passedOver.has(basename(path)))
      .map(({ path }) => `${path}/`);
  }
  refuseLarge(found);
  const texts = await files.texts(found, maxFileBytes);
  return found
    .map(({ path }) => ({ path: reading.nameOf?.(path) ?? path, text: texts.get(path) ?? "" }))
    .filter(({ text }) => hasObjects(text))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** @throws OneloopError `bad-input`: what is passed over in silence would be missing in the mirror. */
function refuseLarge(files: readonly ListedFile[]): void {
  const large = files.find(({ size }) => size > maxFileBytes);
  if (large === undefined) return;
  throw new OneloopError(
    "bad-input",
    `${large.path} has ${large.size} bytes; at most ${maxFileBytes} are read. Split it; if it says nothing of services, name another file or folder.`,
  );
}

function isManifest(path: string): boolean {
  return /\.(ya?ml|json)$/.test(path);
}

function hasObjects(text: string): boolean {
  return /^\s*"?(apiVersion|kind)"?\s*:/m.test(text);
}

function inFolder(folder: string, name: string): string {
  return folder === "." ? name : `${folder}/${name}`;
}

function noSuchSource(path: string, offered: readonly string[]): OneloopError {
  const have = offered.length === 0 ? "" : ` What looks like it: ${offered.join(", ")}.`;
  return new OneloopError("bad-input", `There is no ${path} that could be mirrored.${have}`);
}
