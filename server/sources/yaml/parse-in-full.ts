import { Composer, Lexer, Parser } from "yaml";
import type { CST, Document } from "yaml";
import { buildTree } from "./build-tree.ts";
import { fileError, maxDepth, tooDeep } from "./words.ts";
import { oneLine } from "./source-text.ts";
import type { Finding, SourceText, TextRange } from "./source-text.ts";
import type { TreeNode } from "./tree.ts";

/**
 * About 8,000 lines. The library takes up to 25 µs for a token where most of them are mistakes: a
 * file of this size alone, all commas, would hold up everybody for 20 s.
 */
const maxTokens = 50_000;

const tooManyTokens = fileError(
  "file-too-large",
  `The file has more than ${maxTokens} words and signs: split it.`,
);

/** Where parsing was given up. */
export class OverLimit extends Error {
  readonly finding: Finding;
  readonly offset: number;
  constructor(finding: Finding, offset: number) {
    super(finding.message);
    this.finding = finding;
    this.offset = offset;
  }
}

/**
 * All of YAML 1.2, with a report of every mistake. Null when there is one, and when there is nothing.
 *
 * @param tags Those that the format has: others are reported.
 * @param range The part of the file that is one document; absent: all of it.
 * @throws OverLimit
 */
export function parseInFull(
  source: SourceText,
  tags: readonly string[],
  range: TextRange = { start: 0, end: source.text.length },
): TreeNode | null {
  const before = source.errorCount;
  const documents = compose(source, range);
  const [document, second] = documents;
  if (document === undefined) return null;
  for (const each of documents) reportSyntax(each, source, tags);
  if (second !== undefined) {
    const [start = 0, end = start + 1] = second.range ?? [];
    source.report(
      { start, end },
      fileError("multiple-documents", "Only one document may stand here: remove this one."),
    );
  }
  if (source.errorCount > before || document.contents === null) return null;
  const tree = buildTree(document.contents, source);
  return source.errorCount > before ? null : tree;
}

function compose(source: SourceText, range: TextRange): Document[] {
  // Keys are compared by buildTree: the library's own comparison is quadratic in a map's size.
  const composer = new Composer({
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
    resolveKnownTags: false,
  });
  const documents = composer.compose(tokens(source, range), true, range.end);
  return Array.from(documents).filter((document, at) => at === 0 || document.contents !== null);
}

/** The parser's tokens, cut off where the composer would take too long or recurse too deep. */
function* tokens({ text }: SourceText, { start, end }: TextRange): Generator<CST.Token> {
  const parser = new Parser();
  parser.offset = start;
  let count = 0;
  for (const lexeme of new Lexer().lex(text.slice(start, end))) {
    yield* parser.next(lexeme);
    count += 1;
    if (count > maxTokens) throw new OverLimit(tooManyTokens, parser.offset);
    if (parser.stack.length > maxDepth) throw new OverLimit(tooDeep, parser.offset);
  }
  yield* parser.end();
}

function reportSyntax(document: Document, source: SourceText, tags: readonly string[]): void {
  for (const [severity, list] of [
    ["error", document.errors],
    ["warning", document.warnings],
  ] as const) {
    for (const { code, pos, message } of list) {
      const tag = source.text.slice(pos[0], pos[1]);
      if (code === "TAG_RESOLVE_FAILED" && tags.includes(tag)) continue;
      const sentence = `This is not as YAML wants it: ${oneLine(message)}.`;
      const finding = { severity, code: "yaml-syntax", message: sentence };
      source.report({ start: pos[0], end: pos[1] }, finding);
    }
  }
}
