import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { root } from "./installation.ts";

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/**
 * The folders, relative to the checkout, of an installed package and of all that it needs: a
 * workspace of a test gets them from here, where a registry may be out of reach.
 */
export async function packageFolders(name: string): Promise<string[]> {
  const found = new Set<string>();
  const visit = async (wanted: string, from: string): Promise<void> => {
    const folder = find(wanted, from);
    if (folder === null || found.has(folder)) return;
    found.add(folder);
    const text = await readFile(join(folder, "package.json"), "utf8");
    const { dependencies, optionalDependencies } = JSON.parse(text) as Manifest;
    const needed = Object.keys({ ...dependencies, ...optionalDependencies });
    for (const each of needed) await visit(each, folder);
  };
  await visit(name, root);
  return [...found].map((folder) => relative(root, folder));
}

/** As Node looks; null for what is optional and of another platform. */
function find(name: string, from: string): string | null {
  for (let at = from; ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    if (existsSync(join(folder, "package.json"))) return folder;
    if (dirname(at) === at) return null;
  }
}
