import { OverLimit, parseInFull } from "./parse-in-full.ts";
import { parsePlain } from "./parse-plain.ts";
import { refuseText } from "./refuse.ts";
import type { SourceText, TextRange } from "./source-text.ts";
import type { TreeNode } from "./tree.ts";
import { fileError } from "./words.ts";

/** Six thousand ordinary services. In UTF-16 code units. */
const maxFileChars = 4 * 1024 * 1024;

/** Documents with mistakes cost up to 25 µs a character; a person mends a few at a time. */
const maxWrongChars = 64 * 1024;

/** One document of a file; `tree` null: it has a mistake, which is reported. */
export interface YamlDocument {
  readonly tree: TreeNode | null;
  readonly range: TextRange;
}

/**
 * Parses a file of several YAML documents. Each stands alone: a mistake in one leaves the others.
 * Documents without content are left out. Bounded as `parseYaml`; never throws.
 */
export function parseDocuments(source: SourceText): YamlDocument[] {
  if (refuseText(source, maxFileChars)) return [];
  const documents: YamlDocument[] = [];
  let wrongChars = 0;
  for (const range of rangesOf(source.text)) {
    const before = source.errorCount;
    const tree = parseOne(source, range);
    if (source.errorCount > before) {
      documents.push({ tree: null, range });
      wrongChars += range.end - range.start;
      if (wrongChars > maxWrongChars && range.end < source.text.length) {
        const at = { start: range.end, end: range.end + 1 };
        const advice = "The file has too many mistakes: from here on it was not read.";
        source.report(at, fileError("too-many-mistakes", advice));
        break;
      }
    } else if (tree !== null) {
      documents.push({ tree, range });
    }
  }
  return documents;
}

function parseOne(source: SourceText, range: TextRange): TreeNode | null {
  const text = source.text.slice(range.start, range.end);
  // Rendered charts have hundreds of these.
  if (/^(?:---)?\s*(?:#.*\s*)*$/.test(text)) return null;
  // What looks like a secret is not quoted, whatever is wrong with it.
  if (/\bSecret\b|\bstringData\b/.test(text)) source.hide(range);
  try {
    const tree = parsePlain(source, withoutMarker(text, range)) ?? parseInFull(source, [], range);
    return tree?.kind === "scalar" && tree.value === null ? null : tree;
  } catch (thrown) {
    if (!(thrown instanceof OverLimit)) throw thrown;
    source.report({ start: thrown.offset, end: thrown.offset + 1 }, thrown.finding);
    return null;
  }
}

/** Behind the marker's line, unless the document begins in it. */
function withoutMarker(text: string, { start, end }: TextRange): TextRange {
  const marker = /^---[ \t]*(?:#.*)?\n/.exec(text)?.[0] ?? "";
  return { start: start + marker.length, end };
}

/**
 * Where the documents of a file stand. Three hyphens or dots at the beginning of a line are a marker
 * everywhere, in texts too (YAML 1.2, 9.1.2), so that no parser is needed to find them.
 */
function rangesOf(text: string): TextRange[] {
  const marker = /^(?:---|\.\.\.)(?=[ \t\r\n]|$)/gm;
  const ranges: TextRange[] = [];
  let start = 0;
  const cut = (end: number): void => {
    // Directives (`%YAML 1.2`) belong to the document after them.
    if (/^%/m.test(text.slice(start, end)) && !/^[^%#\s]/m.test(text.slice(start, end))) return;
    if (end > start) ranges.push({ start, end });
    start = end;
  };
  for (const { 0: found, index } of text.matchAll(marker)) {
    cut(found === "---" ? index : index + found.length);
  }
  if (text.length > start) ranges.push({ start, end: text.length });
  return ranges;
}
