/** Finds the text of a file below the repository's root; null where there is none. */
export type FindFile = (path: string) => Promise<string | null>;

export interface ListedFile {
  readonly path: string;
  readonly kind: "file" | "folder";
  /** In bytes. */
  readonly size: number;
}

/** What reading needs of a repository, at a commit or in a folder. */
export interface SourceFiles {
  /**
   * What there is at `paths`. One with `/` at its end stands for what is directly in that folder,
   * and none at all for what is in the root.
   */
  list(paths: readonly string[]): Promise<readonly ListedFile[]>;
  /** The texts of listed files, but for those that are larger than `maxBytes`. */
  texts(files: readonly ListedFile[], maxBytes: number): Promise<ReadonlyMap<string, string>>;
}

/**
 * Lets a reader that wants its files at once read those that are only to be had later. It is run
 * again as long as it asks for further ones, so it has to be pure; each file is found once.
 *
 * @throws what `find` throws.
 */
export async function readFilesWith<Result>(
  find: FindFile,
  reader: (read: (path: string) => string | null) => Result,
): Promise<Result> {
  const texts = new Map<string, string | null>();
  for (;;) {
    const missing = new Set<string>();
    const result = reader((path) => {
      const text = texts.get(path);
      if (text === undefined) missing.add(path);
      return text ?? null;
    });
    if (missing.size === 0) return result;
    const found = [...missing].map(async (path) => [path, await find(path)] as const);
    for (const [path, text] of await Promise.all(found)) texts.set(path, text);
  }
}

/** Finds files of a repository; those that are asked for at once are asked of it at once. */
export function findIn(files: SourceFiles, maxBytes: number): FindFile {
  let asked = new Set<string>();
  let round: Promise<ReadonlyMap<string, string>> | null = null;
  return async (path) => {
    asked.add(path);
    round ??= Promise.resolve().then(async () => {
      const paths = [...asked];
      asked = new Set();
      round = null;
      const listed = (await files.list(paths)).filter(({ kind }) => kind === "file");
      return listed.length === 0 ? new Map() : files.texts(listed, maxBytes);
    });
    return (await round).get(path) ?? null;
  };
}
