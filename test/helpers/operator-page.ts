import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./installation.ts";

/** The block of commands of docs/operate.md that has `word` in it; there is one. */
export async function commandsWith(word: string): Promise<string> {
  const page = await readFile(join(root, "docs/operate.md"), "utf8");
  const blocks = [...page.matchAll(/^( *)```\n([\s\S]*?)^\1```$/gm)].map(
    ([, , lines = ""]) => lines,
  );
  const found = blocks.filter((lines) => lines.includes(word));
  const [commands] = found;
  if (commands === undefined || found.length > 1) {
    throw new Error(`${found.length} blocks of docs/operate.md have ${word}`);
  }
  return commands;
}
