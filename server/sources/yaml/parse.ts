import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } from "yaml";
import type { Alias, CST, Document, Node } from "yaml";
import { Cursor, keyText } from "./cursor.ts";
import { quote } from "./source-text.ts";
import type { Finding, SourceText, TextRange } from "./source-text.ts";

/** Larger configuration files are not written by people. In UTF-16 code units. */
const maxTextChars = 1024 * 1024;

/**
 * About 8,000 lines. The library takes up to 25 µs for a token where most of them are mistakes: a
 * file of this size alone, all commas, would hold up everybody for 20 s.
 */
const maxTokens = 50_000;

/** A devfile needs about 8, a Kubernetes object about 20. */
const maxDepth = 64;

/** Nodes after every alias is replaced: "a billion laughs" ends here, and so does one laugh too many. */
const maxExpandedNodes = 100_000;

/**
 * Parses one YAML 1.2 document, and reports what is wrong with it as YAML to `source`. Bounded in
 * size, depth and alias expansion, so that no text costs more than about a second; never throws.
 * Null when the file is empty or was refused.
 */
export function parseYaml(source: SourceText): Cursor | null {
  if (source.text.length > maxTextChars) {
    source.report(
      { start: 0, end: 1 },
      error("file-too-large", `The file is larger than ${maxTextChars} characters: split it.`),
    );
    return null;
  }
  try {
    const documents = compose(source);
    const [document, second] = documents;
    if (document === undefined) return null;
    for (const each of documents) reportSyntax(each, source);
    if (second !== undefined) {
      source.report(
        rangeOf(second),
        error("multiple-documents", "Only one document may stand here: remove this one."),
      );
    }
    if (source.hasErrors || document.contents === null) return null;
    const tree = new TreeCheck(source);
    tree.visit(document.contents);
    return source.hasErrors ? null : new Cursor(document.contents, source, tree.targets);
  } catch (thrown) {
    if (!(thrown instanceof OverLimit)) throw thrown;
    source.report({ start: thrown.offset, end: thrown.offset + 1 }, thrown.finding);
    return null;
  }
}

function error(code: string, message: string) {
  return { severity: "error", code, message } as const;
}

const tooDeep = error(
  "too-deep",
  `This is nested more than ${maxDepth} levels deep: flatten the structure.`,
);

const tooManyTokens = error(
  "file-too-large",
  `The file has more than ${maxTokens} words and signs: split it.`,
);

class OverLimit extends Error {
  readonly finding: Finding;
  readonly offset: number;
  constructor(finding: Finding, offset: number) {
    super(finding.message);
    this.finding = finding;
    this.offset = offset;
  }
}

function compose(source: SourceText): Document[] {
  // Keys are compared by TreeCheck: the library's own comparison is quadratic in a map's size.
  const composer = new Composer({
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
    resolveKnownTags: false,
  });
  const documents = composer.compose(tokens(source.text), true, source.text.length);
  return Array.from(documents).filter((document, at) => at === 0 || document.contents !== null);
}

/** The parser's tokens, cut off where the composer would take too long or recurse too deep. */
function* tokens(text: string): Generator<CST.Token> {
  const parser = new Parser();
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    count += 1;
    if (count > maxTokens) throw new OverLimit(tooManyTokens, parser.offset);
    if (parser.stack.length > maxDepth) throw new OverLimit(tooDeep, parser.offset);
  }
  yield* parser.end();
}

function reportSyntax(document: Document, source: SourceText): void {
  for (const [severity, list] of [
    ["error", document.errors],
    ["warning", document.warnings],
  ] as const) {
    for (const { pos, message } of list) {
      source.report(
        { start: pos[0], end: pos[1] },
        { severity, code: "yaml-syntax", message: `This is not as YAML wants it: ${message}.` },
      );
    }
  }
}

function rangeOf(node: { range?: readonly number[] | null }): TextRange {
  const [start = 0, end = start + 1] = node.range ?? [];
  return { start, end };
}

/**
 * One walk in the order of the file: resolves aliases (an anchor may be given twice; the nearest
 * before counts), compares keys, and adds up what the tree would be with its aliases replaced.
 */
class TreeCheck {
  readonly targets = new Map<Alias, Node>();
  readonly #source: SourceText;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  /** Nodes and levels of each collection after expansion. */
  readonly #sizes = new Map<Node, { nodes: number; depth: number }>();

  constructor(source: SourceText) {
    this.#source = source;
  }

  visit(node: Node): { nodes: number; depth: number } {
    const size = isAlias(node) ? this.#visitAlias(node) : this.#visitValue(node);
    if (size.nodes > maxExpandedNodes) {
      this.#fail(node, "too-many-nodes", "Written out in full, this is too much: shorten it.");
      return { nodes: 1, depth: 1 };
    }
    if (size.depth > maxDepth) {
      this.#source.report(rangeOf(node), tooDeep);
      return { nodes: 1, depth: 1 };
    }
    return size;
  }

  #visitAlias(alias: Alias): { nodes: number; depth: number } {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) {
      this.#fail(alias, "unknown-alias", `No anchor &${alias.source} stands before this alias.`);
    } else if (this.#open.has(target)) {
      this.#fail(alias, "alias-cycle", "This alias stands inside its own anchor: write it out.");
    } else {
      this.targets.set(alias, target);
      return this.#sizes.get(target) ?? { nodes: 1, depth: 1 };
    }
    return { nodes: 1, depth: 1 };
  }

  #visitValue(node: Exclude<Node, Alias>): { nodes: number; depth: number } {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (!isMap(node) && !isSeq(node)) return { nodes: 1, depth: 1 };
    this.#open.add(node);
    const size = { nodes: 1, depth: 1 };
    const keys = new Set<string>();
    for (const item of node.items) {
      const pair = isMap(node) ? (item as { key: unknown; value: unknown }) : null;
      if (pair !== null) this.#visitKey(pair.key as Node, keys);
      const child = (pair === null ? item : pair.value) as Node | null;
      if (child === null) continue;
      const inner = this.visit(child);
      size.nodes += inner.nodes;
      size.depth = Math.max(size.depth, inner.depth + 1);
    }
    this.#open.delete(node);
    this.#sizes.set(node, size);
    return size;
  }

  #visitKey(key: Node | null, keys: Set<string>): void {
    if (!isScalar(key)) {
      if (key !== null) this.#fail(key, "bad-key", "A key must be plain text: write it out.");
      return;
    }
    if (key.anchor !== undefined) this.#anchors.set(key.anchor, key);
    const name = keyText(key);
    if (keys.has(name)) {
      this.#fail(key, "duplicate-key", `The key ${quote(name)} stands here twice: remove one.`);
    }
    keys.add(name);
  }

  #fail(node: Node, code: string, message: string): void {
    this.#source.report(rangeOf(node), error(code, message));
  }
}
