import { Cursor } from "./cursor.ts";
import { OverLimit, parseInFull } from "./parse-in-full.ts";
import { parsePlain } from "./parse-plain.ts";
import { fileError } from "./words.ts";
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
  const start = { start: 0, end: 1 };
  if (source.text.length > maxTextChars) {
    const advice = `The file is larger than ${maxTextChars} characters: split it.`;
    source.report(start, fileError("file-too-large", advice));
    return null;
  }
  // What was UTF-16 has a NUL in every other place, and its byte order mark is no UTF-8.
  if (/^\uFFFD\uFFFD|\0/.test(source.text)) {
    const advice = "This file is not UTF-8 text (UTF-16, perhaps): save it as UTF-8.";
    source.report(start, fileError("not-utf-8", advice));
    return null;
  }
  try {
    return parsePlain(source) ?? parseInFull(source, tags);
  } catch (thrown) {
    if (!(thrown instanceof OverLimit)) throw thrown;
    source.report({ start: thrown.offset, end: thrown.offset + 1 }, thrown.finding);
    return null;
  }
}
