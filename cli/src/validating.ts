import { readFile, readdir } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { defaultComposeFiles } from "../../server/sources/compose/paths.ts";
import { readCompose } from "../../server/sources/compose/read.ts";
import { devfilePaths, neededDocuments, readDevfile } from "../../server/sources/devfile/read.ts";
import { findIn, readFilesWith, type SourceFiles } from "../../server/sources/files.ts";
import { herokuPaths } from "../../server/sources/heroku/read.ts";
import { offeredSources } from "../../server/sources/production.ts";
import type { ReadResult } from "../../server/sources/result.ts";
import { Failure } from "./failure.ts";
import { localFiles, maxFileBytes } from "./local-files.ts";
import { isFolder, placeOf, readHere } from "./models.ts";
import type { Diagnostic } from "./wire.ts";

const devfileFolder = ".devfile";

export interface Validated {
  /** What was read: files, or the folder of Kubernetes objects. */
  readonly files: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
  /** Parents and plugins that lie elsewhere: only a control plane asks for those. */
  readonly unread: readonly string[];
}

/**
 * What is wrong in a configuration, or in all of a folder: devfiles, a compose project, a Procfile
 * with app.json, Kubernetes objects; with the files of this machine that they name.
 *
 * @throws Failure where it cannot be read, or there is none.
 */
export async function validate(given: string): Promise<Validated> {
  const path = normalize(given);
  if (!(await isFolder(path))) return validateFile(path);
  const found = [
    ...(await Promise.all((await devfilesIn(path)).map(validateFile))),
    ...(await composeIn(path)),
    ...(await Promise.all((await othersIn(path)).map(validateFile))),
  ];
  // Objects in the folder itself, and below it.
  const all = found.length > 0 ? found : [await validateWhole(path)];
  return {
    files: all.flatMap(({ files }) => files),
    diagnostics: all.flatMap(({ diagnostics }) => diagnostics),
    unread: all.flatMap(({ unread }) => unread),
  };
}

async function validateFile(file: string): Promise<Validated> {
  if (await isFolder(file)) return validateWhole(file);
  const text = await textOf(file);
  const isDevfile = /devfile\.ya?ml$/.test(file) || /^\s*"?schemaVersion"?\s*:/m.test(text);
  if (!isDevfile) return validateWhole(file);
  // What is named relative to it stands below this folder, or else below its own.
  const { root, path } = placeOf(file, dirname(file));
  const { documents, unread } = await documentsBeside(root, { path, text });
  return {
    files: [file],
    unread,
    diagnostics: findingsOf(readDevfile(text, path, documents), root),
  };
}

/** A file or folder that one reader takes as a whole. */
async function validateWhole(given: string): Promise<Validated> {
  const { root } = placeOf(given, (await isFolder(given)) ? given : dirname(given));
  const diagnostics = findingsOf(await readHere(given), root);
  return { files: [given], diagnostics, unread: [] };
}

/** @param root what the reader's names of files are below, where they do not say it already. */
function findingsOf(result: ReadResult, root: string): Diagnostic[] {
  const diagnostics = result.ok ? result.warnings : result.diagnostics;
  const isNamed = (file: string): boolean => isAbsolute(file) || file.startsWith(join(root, "/"));
  return diagnostics.map((one) => ({
    ...one,
    file: isNamed(one.file) ? one.file : join(root, one.file),
  }));
}

async function devfilesIn(folder: string): Promise<string[]> {
  const inFolder = await readdir(join(folder, devfileFolder)).catch(() => []);
  const names = new Set(await readdir(folder));
  return [
    ...devfilePaths.filter((path) => names.has(path)),
    ...inFolder
      .filter((name) => /(?:^|[.-])devfile\.ya?ml$/.test(name))
      .map((name) => `${devfileFolder}/${name}`)
      .toSorted(),
  ].map((path) => join(folder, path));
}

/** The files that `docker compose` would take there, over one another. */
async function composeIn(folder: string): Promise<Validated[]> {
  const { root, path } = placeOf(folder, folder);
  const find = findIn(localFiles(root, { cut: true }), maxFileBytes);
  const paths = await readFilesWith(find, (read) => defaultComposeFiles(path, read));
  if (paths.length === 0) return [];
  const result = await readFilesWith(find, (read) => readCompose(paths, { read, folder: path }));
  const files = paths.map((name) => join(root, name));
  return [{ files, diagnostics: findingsOf(result, root), unread: [] }];
}

/** A Procfile, and the folders where Kubernetes objects usually lie. */
async function othersIn(folder: string): Promise<string[]> {
  const offered = await offeredSources(sizeless(localFiles(folder, { cut: true })));
  return offered
    .filter(
      (path) => path.endsWith("/") || (herokuPaths as readonly string[]).includes(basename(path)),
    )
    .map((path) => normalize(join(folder, path)));
}

/**
 * The same, none of them too large to be looked at: a folder is not passed over for that, and what
 * reads it says which file is.
 */
function sizeless(files: SourceFiles): SourceFiles {
  return {
    ...files,
    list: async (paths) => (await files.list(paths)).map((one) => ({ ...one, size: 0 })),
  };
}

/** The parents and plugins of a devfile that lie below `root`, and the names of all others. */
export async function documentsBeside(
  root: string,
  { path, text }: { path: string; text: string },
): Promise<{ documents: Map<string, { text: string } | { failure: string }>; unread: string[] }> {
  const documents = new Map<string, { text: string } | { failure: string }>();
  // As a repository has it: what a link leads to is not its own, and is sent to nobody.
  const find = findIn(localFiles(root, { cut: true }), maxFileBytes);
  for (;;) {
    const needed = neededDocuments(text, path, documents);
    const here = needed.filter(({ location }) => location.kind === "repository");
    if (here.length === 0) return { documents, unread: needed.map(({ name }) => name) };
    for (const { name, location } of here) {
      const wanted = location.kind === "repository" ? location.path : "";
      const found = await find(wanted);
      const failure = `There is no file ${join(root, wanted)} that can be read.`;
      documents.set(name, found === null ? { failure } : { text: found });
    }
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? `There is no file ${file}.` : `${file} cannot be read (${code}).`;
    throw new Failure("usage", why, { cause: error });
  }
}
