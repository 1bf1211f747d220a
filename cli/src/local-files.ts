import { lstat, open, readdir, readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ListedFile, SourceFiles } from "../../server/sources/files.ts";

/** A larger file is no configuration, or no reader would take it. */
export const maxFileBytes = 4 * 1024 * 1024;

/**
 * A folder of this machine as readers see a repository: links are not followed, as there.
 *
 * @param options.cut Of a file with more than `maxFileBytes` the beginning is given, as a text that
 * is larger than readers take: they say so with its place. Without it, there is no text.
 */
export function localFiles(root: string, { cut = false } = {}): SourceFiles {
  /** Not where a folder on the way is a link: that is no folder of the repository. */
  const isBelow = async (path: string): Promise<boolean> => {
    const folder = dirname(path);
    return (await realpath(join(root, folder))) === join(await realpath(root), folder);
  };
  const entry = async (path: string): Promise<ListedFile[]> => {
    try {
      const found = await lstat(join(root, path));
      if (!(await isBelow(path))) return [];
      const size = cut ? Math.min(found.size, maxFileBytes) : found.size;
      if (found.isFile()) return [{ path, kind: "file", size }];
      return found.isDirectory() ? [{ path, kind: "folder", size: 0 }] : [];
    } catch {
      return [];
    }
  };
  const inFolder = async (folder: string): Promise<ListedFile[]> => {
    try {
      const names = await readdir(join(root, folder));
      return (await Promise.all(names.map((name) => entry(`${folder}${name}`)))).flat();
    } catch {
      // Gone, or not ours to read: as if it were not there.
      return [];
    }
  };
  return {
    async list(paths) {
      if (paths.length === 0) return inFolder("");
      const listed = paths.map((path) => (path.endsWith("/") ? inFolder(path) : entry(path)));
      return (await Promise.all(listed)).flat();
    },
    async texts(files, maxBytes) {
      const read = files
        .filter(({ size }) => size <= maxBytes)
        .map(async ({ path }) => {
          const file = join(root, path);
          const text = await (cut ? beginningOf(file) : readFile(file, "utf8")).catch(() => null);
          return text === null ? [] : [[path, text] as const];
        });
      return new Map((await Promise.all(read)).flat());
    },
  };
}

/** The whole text, or where that is too large one that is, too: never a shorter one that is right. */
async function beginningOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    const beginning = file.createReadStream({ end: maxFileBytes, autoClose: false });
    for await (const chunk of beginning as AsyncIterable<Buffer>) {
      length += chunk.length;
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString("utf8");
    return length > maxFileBytes ? text.padEnd(maxFileBytes + 1) : text;
  } finally {
    await file.close();
  }
}

/** The same, the texts of all that was read, and the sizes in bytes of all files that were seen. */
export function recordedFiles(files: SourceFiles): {
  readonly files: SourceFiles;
  readonly texts: ReadonlyMap<string, string>;
  readonly sizes: ReadonlyMap<string, number>;
} {
  const texts = new Map<string, string>();
  const sizes = new Map<string, number>();
  return {
    texts,
    sizes,
    files: {
      async list(paths) {
        const found = await files.list(paths);
        for (const { path, kind, size } of found) if (kind === "file") sizes.set(path, size);
        return found;
      },
      async texts(wanted, maxBytes) {
        const found = await files.texts(wanted, maxBytes);
        for (const [path, text] of found) texts.set(path, text);
        return found;
      },
    },
  };
}
