/** A file or folder of a commit. */
export interface TreeEntry {
  readonly path: string;
  readonly kind: "file" | "folder";
  /** Its name in git's store. */
  readonly id: string;
  /** In bytes; 0 for a folder. */
  readonly size: number;
}

/** The mode of a symbolic link in a tree (git-fast-import(1)). */
const symbolicLink = "120000";

/** @param text of `git ls-tree -l -z`. Symbolic links and submodules are left out. */
export function parseTree(text: string): TreeEntry[] {
  return text.split("\0").flatMap((line): TreeEntry[] => {
    const [, mode, kind, id = "", size = "", path = ""] =
      /^(\d+) (blob|tree) ([0-9a-f]{40,64}) +(\d+|-)\t(.+)$/s.exec(line) ?? [];
    if (kind === "tree") return [{ path, kind: "folder", id, size: 0 }];
    return kind === "blob" && mode !== symbolicLink
      ? [{ path, kind: "file", id, size: Number(size) }]
      : [];
  });
}

/**
 * The texts of `files`, by their paths.
 *
 * @param output of `git cat-file --batch`, in the order of `files`: a line with the size, the
 * content, a line break (git-cat-file(1)).
 */
export function parseBatch(files: readonly TreeEntry[], output: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  let at = 0;
  for (const { path, size } of files) {
    const begin = output.indexOf("\n", at) + 1;
    texts.set(path, output.toString("utf8", begin, begin + size));
    at = begin + size + 1;
  }
  return texts;
}
