import { Cursor } from "./cursor.ts";
import { OverLimit, parseInFull } from "./parse-in-full.ts";
import { parsePlain } from "./parse-plain.ts";
import { refuseText } from "./refuse.ts";
import type { SourceText } from "./source-text.ts";
import type { TreeNode } from "./tree.ts";

/** Larger configuration files are not written by people. In UTF-16 code units. */
const maxTextChars = 1024 * 1024;

/**
 * Parses one YAML 1.2 document, and reports what is wrong with it as YAML to `source`. Bounded in
 * size, depth and alias expansion, so that no text costs more than about a second; never throws.
 * Null when the file is empty or was refused.
 */
export function parseYaml(source: SourceText): Cursor | null {
  const tree = parseTree(source);
  return tree === null ? null : new Cursor(tree);
}

/**
 * As `parseYaml`, without a cursor.
 *
 * @param tags Those that the format has, such as `!reset`.
 */
export function parseTree(source: SourceText, tags: readonly string[] = []): TreeNode | null {
  if (refuseText(source, maxTextChars)) return null;
  try {
    return parsePlain(source) ?? parseInFull(source, tags);
  } catch (thrown) {
    if (!(thrown instanceof OverLimit)) throw thrown;
    source.report({ start: thrown.offset, end: thrown.offset + 1 }, thrown.finding);
    return null;
  }
}
