import { realpath, stat } from "node:fs/promises";
import { OneloopError } from "../protocol/errors.ts";

/**
 * The folder behind a file:// URL, if the operator allows it: links are followed first, so that a
 * link inside an allowed folder leads nowhere else.
 *
 * @param roots the folders that are allowed with all below them; null allows any folder.
 * @throws OneloopError `repository-not-allowed`, `repository-unreachable`
 */
export async function localRepository(
  path: string,
  roots: readonly string[] | null,
): Promise<string> {
  let real: string;
  try {
    real = await realpath(path);
    if (!(await stat(real)).isDirectory()) throw new Error("not a folder");
  } catch (error) {
    throw new OneloopError(
      "repository-unreachable",
      `There is no repository at ${path} on the machine that runs Oneloop.`,
      { cause: error },
    );
  }
  const allowed =
    roots === null || roots.some((root) => real === root || real.startsWith(`${root}/`));
  if (!allowed) {
    throw new OneloopError(
      "repository-not-allowed",
      `file:// URLs are not open to ${path}. The operator allows folders with ONELOOP_FILE_ROOTS.`,
    );
  }
  return real;
}
