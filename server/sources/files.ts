/** Finds the text of a file below the repository's root; null where there is none. */
export type FindFile = (path: string) => Promise<string | null>;

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
