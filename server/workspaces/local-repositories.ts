import { realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { OneloopError } from "../protocol/errors.ts";

/**
 * The folder behind a file:// URL, if the operator allows it: links are followed first, so that a
 * link inside an allowed folder leads nowhere else. Of what is not allowed nobody learns whether it
 * is there.
 *
 * @param roots the folders that are allowed with all below them; null allows any folder.
 * @throws OneloopError `repository-not-allowed`, `repository-unreachable`
 */
export async function localRepository(
  path: string,
  roots: readonly string[] | null,
): Promise<string> {
  if (roots !== null && !(await isBelow(await realOf(path), roots))) {
    throw new OneloopError(
      "repository-not-allowed",
      `file:// URLs are not open to ${path}. The operator allows folders with ONELOOP_FILE_ROOTS.`,
    );
  }
  try {
    const real = await realpath(path);
    if (!(await stat(real)).isDirectory()) throw new Error("not a folder");
    // What was looked at before may be a link by now.
    if (roots !== null && !(await isBelow(real, roots))) throw new Error("it changed meanwhile");
    return real;
  } catch (error) {
    throw new OneloopError(
      "repository-unreachable",
      `There is no repository at ${path} on the machine that runs Oneloop.`,
      { cause: error },
    );
  }
}

async function isBelow(real: string, roots: readonly string[]): Promise<boolean> {
  const allowed = await Promise.all(roots.map(realOf));
  return allowed.some((root) => real === root || real.startsWith(root === "/" ? root : `${root}/`));
}

/** Where a path leads; of one that is not there, where the nearest folder above it does. */
async function realOf(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch {
    return whole === "/" ? whole : realOf(dirname(whole));
  }
}
