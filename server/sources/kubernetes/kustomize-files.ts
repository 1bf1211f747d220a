import { basename, dirname } from "node:path/posix";
import { OneloopError } from "../../protocol/errors.ts";
import { resolvePath } from "../compose/paths.ts";
import type { ListedFile, SourceFiles } from "../files.ts";
import { parseDocuments } from "../yaml/documents.ts";
import { SourceText } from "../yaml/source-text.ts";
import type { TreeNode } from "../yaml/tree.ts";

/** By which kustomize finds what a folder is put together of. */
export const kustomizationNames = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/** An overlay of a large product names some hundreds. */
const maxFiles = 2000;
const maxTotalBytes = 8 * 1024 * 1024;
/** Nobody writes a longer path (PATH_MAX is 4096); patches that stand in the file are longer. */
const maxPathLength = 500;

/**
 * The files that kustomize may read to put a folder together, by their paths: of every kustomization,
 * from this folder on, each text in it that is a path of the repository. That finds what its dozen
 * fields name, in every version; a file too many does no harm.
 *
 * @throws OneloopError `bad-input` where they are too many or too large
 */
export async function kustomizeFiles(
  folder: string,
  files: SourceFiles,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  const seen = new Set([folder]);
  let bytes = 0;
  const take = async (listed: readonly ListedFile[]): Promise<ReadonlyMap<string, string>> => {
    bytes += listed.reduce((total, { size }) => total + size, 0);
    if (texts.size + listed.length > maxFiles || bytes > maxTotalBytes) {
      throw new OneloopError(
        "bad-input",
        `What ${folder} is put together of has over ${maxFiles} files or ${maxTotalBytes} bytes. Write its objects to a file of the repository (\`kubectl kustomize\`), and name that.`,
      );
    }
    const read = listed.length === 0 ? new Map() : await files.texts(listed, maxTotalBytes);
    for (const [path, text] of read) texts.set(path, text);
    return read;
  };
  for (let level = [folder]; level.length > 0;) {
    const inFolders = await entriesOf(level, files);
    const found = inFolders.filter(
      ({ path, kind }) => kind === "file" && kustomizationNames.includes(basename(path)),
    );
    const kustomizations = await take(found.filter(({ path }) => !texts.has(path)));
    const wanted = new Set<string>();
    for (const [path, text] of kustomizations) {
      for (const named of pathsIn(text, dirname(path))) if (!seen.has(named)) wanted.add(named);
    }
    for (const path of wanted) seen.add(path);
    // The root is listed by no name.
    const root = wanted.delete(".") ? ["."] : [];
    const there = wanted.size === 0 ? [] : await files.list([...wanted]);
    await take(there.filter(({ path, kind }) => kind === "file" && !texts.has(path)));
    level = [...root, ...there.flatMap(({ path, kind }) => (kind === "folder" ? [path] : []))];
  }
  return texts;
}

async function entriesOf(
  folders: readonly string[],
  files: SourceFiles,
): Promise<readonly ListedFile[]> {
  const below = folders.filter((folder) => folder !== ".").map((folder) => `${folder}/`);
  const [root, others] = await Promise.all([
    folders.includes(".") ? files.list([]) : [],
    below.length === 0 ? [] : files.list(below),
  ]);
  return [...root, ...others];
}

/** Each text of a kustomization, as the path that it would be. */
function* pathsIn(text: string, folder: string): Generator<string> {
  for (const { tree } of parseDocuments(new SourceText(text, "kustomization.yaml"))) {
    for (const value of tree === null ? [] : textsOf(tree)) {
      // A generator's file may be given under another name: `name=path`.
      for (const part of [value, value.slice(value.indexOf("=") + 1)]) {
        if (part === "" || part.length > maxPathLength || /[\0\n]/.test(part)) continue;
        const resolved = resolvePath(folder, part);
        if ("path" in resolved) yield resolved.path;
      }
    }
  }
}

function* textsOf(node: TreeNode): Generator<string> {
  switch (node.kind) {
    case "scalar":
      if (typeof node.value === "string") yield node.value;
      return;
    case "list":
      for (const item of node.items) yield* textsOf(item);
      return;
    case "map":
      for (const { value } of node.entries) yield* textsOf(value);
      return;
    default:
      node satisfies never;
  }
}
