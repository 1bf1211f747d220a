import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { maxSentLength, type FolderFiles } from "../../server/protocol/preview.ts";
import { searchedFolders, wantedTexts } from "../../server/sources/detect/detectors.ts";
import { devfilePaths, readDevfile } from "../../server/sources/devfile/read.ts";
import { kustomizeFiles } from "../../server/sources/kubernetes/kustomize-files.ts";
import { offeredSources, readSources } from "../../server/sources/production.ts";
import { OneloopError } from "../../server/protocol/errors.ts";
import { Failure } from "./failure.ts";
import { localFiles, recordedFiles } from "./local-files.ts";
import { documentsBeside } from "./validating.ts";

const devfileFolder = ".devfile";

/**
 * The files of a folder of this machine that say what it is, and how its production runs: their names
 * in it and in the folders directly below, the texts of those that are read, and the sizes of those
 * that are too large to be sent.
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
  const read = await Promise.all(
    [...wanted].map(async (path) => {
      const text = await textOf(join(root, path));
      return text === null ? [] : [[path, text] as const];
    }),
  );
  const known = new Map(read.flat());
  // What the devfiles here take from further files of the folder.
  for (const [path, text] of [...known]) {
    if (!/\.ya?ml$/.test(path)) continue;
    const { documents } = await documentsBeside(root, { path, text });
    for (const [name, document] of documents)
      if ("text" in document) known.set(name, document.text);
  }
  const production = await productionFiles(root, { known, mirror });
  for (const [path, text] of production.texts) known.set(path, text);
  const texts = [...known].filter(([, text]) => text.length <= maxSentLength);
  const sent = new Set(texts.map(([path]) => path));
  const named = await localFiles(root).list([...wanted, ...known.keys()]);
  const sizes = new Map([
    ...production.sizes,
    ...named.map(({ path, size }) => [path, size] as const),
  ]);
  const tooLarge = [...sizes].filter(([path, size]) => size > maxSentLength && !sent.has(path));
  return {
    name: basename(root) || "root",
    paths: [...new Set([...paths, ...sent, ...tooLarge.map(([path]) => path)])],
    texts: Object.fromEntries(texts),
    tooLarge: Object.fromEntries(tooLarge),
  };
}

/**
 * The texts that reading production takes, or, where it is not named, that finding it takes; and the
 * sizes in bytes of all files that lie there.
 */
async function productionFiles(
  root: string,
  { known, mirror }: { known: ReadonlyMap<string, string>; mirror: string | null | undefined },
): Promise<Pick<ReturnType<typeof recordedFiles>, "texts" | "sizes">> {
  const { files, texts, sizes } = recordedFiles(localFiles(root));
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
  return { texts, sizes };
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
    if ((await stat(file)).size > maxSentLength) return null;
    return await readFile(file, "utf8");
  } catch {
    // Gone meanwhile, or not ours to read: as if it were not there.
    return null;
  }
}
