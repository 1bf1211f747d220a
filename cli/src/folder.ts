import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { FolderFiles } from "../../server/protocol/preview.ts";
import { searchedFolders, wantedTexts } from "../../server/sources/detect/detectors.ts";
import { devfilePaths, readDevfile } from "../../server/sources/devfile/read.ts";
import { kustomizeFiles } from "../../server/sources/kubernetes/kustomize-files.ts";
import { offeredSources, readSources } from "../../server/sources/production.ts";
import { OneloopError } from "../../server/protocol/errors.ts";
import { Failure } from "./failure.ts";
import { localFiles, recordedFiles } from "./local-files.ts";
import { documentsBeside } from "./validating.ts";

/** A larger file is no configuration. */
const maxFileBytes = 512 * 1024;
const devfileFolder = ".devfile";

/**
 * The files of a folder of this machine that say what it is, and how its production runs: their names in it and in the folders
 * directly below, and the texts of those that are read.
 *
 * @throws Failure where it cannot be read.
 */
export async function readFolder(folder: string, mirror?: string | null): Promise<FolderFiles> {
  const root = resolve(folder);
  const top = await entriesOf(root, "");
  const folders = top.filter(({ isFolder }) => isFolder).map(({ path }) => path);
  const below = [...searchedFolders(folders), ...folders.filter((name) => name === devfileFolder)];
  const inner = await Promise.all(below.map((name) => entriesOf(root, name)));
  const paths = [...top, ...inner.flat()].flatMap(({ path, isFolder }) => (isFolder ? [] : [path]));
  const wanted = new Set([
    ...wantedTexts(paths),
    ...paths.filter(
      (path) =>
        (devfilePaths as readonly string[]).includes(path) || path.startsWith(`${devfileFolder}/`),
    ),
  ]);
  const texts = await Promise.all(
    [...wanted].map(async (path) => {
      const text = await textOf(join(root, path));
      return text === null ? [] : [[path, text] as const];
    }),
  );
  const known = new Map(texts.flat());
  // What the devfiles here take from further files of the folder.
  for (const [path, text] of [...known]) {
    if (!/\.ya?ml$/.test(path)) continue;
    const { documents } = await documentsBeside(root, { path, text });
    for (const [name, document] of documents)
      if ("text" in document) known.set(name, document.text);
  }
  const production = await productionFiles(root, { known, mirror });
  for (const [path, text] of production) known.set(path, text);
  return {
    name: basename(root) || "root",
    paths: [...new Set([...paths, ...known.keys()])],
    texts: Object.fromEntries(known),
  };
}

/** The texts that reading production takes, or, where it is not named, that finding it takes. */
async function productionFiles(
  root: string,
  { known, mirror }: { known: ReadonlyMap<string, string>; mirror: string | null | undefined },
): Promise<ReadonlyMap<string, string>> {
  const { files, texts } = recordedFiles(localFiles(root));
  const wanted = mirror === undefined ? attributeOf(known) : mirror;
  try {
    await offeredSources(files);
    if (wanted !== null) {
      // The control plane puts it together; what it takes for that is what is sent.
      const render = async (folder: string): Promise<[]> => {
        await kustomizeFiles(folder, files);
        return [];
      };
      await readSources(wanted, files, { prefers: "production", render });
    }
  } catch (error) {
    // What is wrong with it, the control plane says too, and where.
    if (!(error instanceof OneloopError)) throw error;
  }
  return new Map([...texts].filter(([, text]) => text.length <= maxFileBytes));
}

/** What the folder's devfile names; null for none, or where it is not to be read. */
function attributeOf(known: ReadonlyMap<string, string>): string | null {
  const path = devfilePaths.find((each) => known.has(each));
  const text = path === undefined ? undefined : known.get(path);
  if (path === undefined || text === undefined) return null;
  const read = readDevfile(text, path);
  const source = read.ok ? read.model.mirror?.source : undefined;
  return source?.known === true ? source.value : null;
}

/** Whether an argument names a folder of this machine, and no repository elsewhere. */
export async function isFolder(text: string): Promise<boolean> {
  try {
    return (await stat(text)).isDirectory();
  } catch {
    return false;
  }
}

async function entriesOf(
  root: string,
  folder: string,
): Promise<{ path: string; isFolder: boolean }[]> {
  try {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    // Links are not followed, as in a repository.
    return entries
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => ({
        path: folder === "" ? entry.name : `${folder}/${entry.name}`,
        isFolder: entry.isDirectory(),
      }));
  } catch (error) {
    if (folder !== "") return [];
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new Failure("usage", `The folder ${root} cannot be read (${code}).`, { cause: error });
  }
}

async function textOf(file: string): Promise<string | null> {
  try {
    if ((await stat(file)).size > maxFileBytes) return null;
    return await readFile(file, "utf8");
  } catch {
    // Gone meanwhile, or not ours to read: as if it were not there.
    return null;
  }
}
