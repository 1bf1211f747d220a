import { Lines } from "./lines.ts";
import { flowAt, quotedAt, resolvePlain } from "./plain-pieces.ts";
import { notPlain } from "./not-plain.ts";
import type { SourceText, TextRange } from "./source-text.ts";
import type { ListNode, MapNode, ScalarNode, TreeEntry, TreeNode } from "./tree.ts";
import { maxDepth } from "./words.ts";

/** As a file of the full parser may have. */
const maxNodes = 100_000;

/** Tabs, carriage returns and control characters: rare, and with rules of their own. */
const unusual = /[^\n -~\u00A0-\u2027\u202A-\uFEFE\uFF00-\uFFFF]/;

/**
 * Parses YAML as nearly everybody writes it: maps and lists by indentation, one value a line, flow
 * collections within a line, comments, literal texts. Ten times as fast as the full parser, which
 * takes a quarter of a second for a devfile of 15,000 lines.
 *
 * It gives what the full parser gives, or null for everything that it does not know for certain:
 * every mistake, anchors, tags, values over several lines.
 *
 * @param part Whole lines of the file that are one document; absent: all of it.
 */
export function parsePlain(
  source: SourceText,
  part: TextRange = { start: 0, end: source.text.length },
): TreeNode | null {
  if (unusual.test(source.text.slice(part.start, part.end))) return null;
  try {
    return new PlainParser(source, part).document();
  } catch (thrown) {
    if (thrown !== notPlain) throw thrown;
    return null;
  }
}

class PlainParser {
  readonly #source: SourceText;
  readonly #text: string;
  readonly #lines: Lines;
  #nodes = 0;
  #depth = 0;
  /** The key that was found last: an item of a list is looked at before its map is. */
  #lastKey: { readonly at: number; readonly node: ScalarNode } | null = null;

  constructor(source: SourceText, part: TextRange) {
    this.#source = source;
    this.#text = source.text;
    this.#lines = new Lines(source.text, part);
  }

  document(): TreeNode {
    const lines = this.#lines;
    lines.skipEmpty();
    if (lines.ended || lines.indent !== 0) throw notPlain;
    const root = this.#block(0);
    lines.skipEmpty();
    if (!lines.ended) throw notPlain;
    return root;
  }

  /** A collection that begins at the current line, at this column. */
  #block(column: number): TreeNode {
    this.#depth += 1;
    if (this.#depth >= maxDepth) throw notPlain;
    const start = this.#lines.start + column;
    const node = this.#isItem(start) ? this.#list(column) : this.#map(column);
    this.#depth -= 1;
    return node;
  }

  #isItem(at: number): boolean {
    if (this.#text[at] !== "-") return false;
    const next = this.#text[at + 1];
    return next === " " || next === "\n" || next === undefined;
  }

  /** The first item begins in the current line, behind what stands before it. */
  #list(column: number): ListNode {
    const lines = this.#lines;
    const start = lines.start + column;
    const items: TreeNode[] = [];
    do {
      const dash = lines.start + column;
      let at = dash + 1;
      while (this.#text[at] === " ") at += 1;
      items.push(
        this.#isLineEnd(at, dash + 1)
          ? this.#below(column)
          : this.#item(at, at - lines.start, column),
      );
      lines.skipEmpty();
    } while (!lines.ended && lines.indent === column && this.#isItem(lines.start + column));
    if (!lines.ended && lines.indent > column) throw notPlain;
    return { kind: "list", items, ...this.#range(start, items.at(-1)) };
  }

  /** What stands behind a dash, in its line. */
  #item(at: number, column: number, around: number): TreeNode {
    if (this.#isItem(at) || this.#key(at) !== null) return this.#block(column);
    return this.#inline(at, around);
  }

  #map(column: number): MapNode {
    const lines = this.#lines;
    const start = lines.start + column;
    const entries: TreeEntry[] = [];
    let names: Set<string> | null = null;
    do {
      const begin = lines.start + column;
      const key = this.#key(begin);
      if (key === null) throw notPlain;
      const name = String(key.value);
      names = withName(names, name, entries);
      this.#count();
      const colon = key.written.end;
      let at = colon + 1;
      while (this.#text[at] === " ") at += 1;
      const value = this.#isLineEnd(at, colon + 1)
        ? this.#belowKey(column, at)
        : this.#inline(at, column);
      entries.push({ name, key, value });
      lines.skipEmpty();
    } while (!lines.ended && lines.indent === column && !this.#isItem(lines.start + column));
    if (!lines.ended && lines.indent > column) throw notPlain;
    return { kind: "map", entries, ...this.#range(start, entries.at(-1)?.value) };
  }

  /** What belongs to a dash, and begins in a line below. */
  #below(column: number): TreeNode {
    const lines = this.#lines;
    lines.next();
    lines.skipEmpty();
    if (lines.ended || lines.indent <= column) throw notPlain;
    return this.#block(lines.indent);
  }

  /** What belongs to a key, in the lines below; nothing, where what follows stands less deep. */
  #belowKey(column: number, at: number): TreeNode {
    const lines = this.#lines;
    lines.next();
    lines.skipEmpty();
    const { indent } = lines;
    const itemsBeside = indent === column && this.#isItem(lines.start + indent);
    if (!lines.ended && (indent > column || itemsBeside)) return this.#block(indent);
    this.#count();
    const written = { start: at, end: at };
    return { kind: "scalar", value: null, raw: "", source: this.#source, written };
  }

  /** A value in the current line; goes on to the line behind it. */
  #inline(at: number, column: number): TreeNode {
    this.#count();
    const first = this.#text[at];
    if (first === "|") return this.#literal(at, column);
    const node = this.#oneLine(at, first);
    const { end } = node.written;
    let rest = end;
    while (this.#text[rest] === " ") rest += 1;
    if (!this.#isLineEnd(rest, end)) throw notPlain;
    this.#lines.next();
    if (first !== '"' && first !== "'" && node.kind === "scalar") {
      // A line below that stands deeper would go on with the text.
      this.#lines.skipEmpty();
      if (!this.#lines.ended && this.#lines.indent > column) throw notPlain;
    }
    return node;
  }

  #oneLine(at: number, first: string | undefined): TreeNode {
    if (first === '"' || first === "'") return quotedAt(this.#source, at);
    if (first !== "[" && first !== "{") return resolvePlain(this.#source, this.#plain(at), at);
    const { node, nodes } = flowAt(this.#source, at, this.#depth);
    this.#nodes += nodes;
    return node;
  }

  /** A text without quotes: up to a comment, and without blanks at its end. */
  #plain(at: number): string {
    const line = this.#text.slice(at, this.#lines.end);
    const comment = line.indexOf(" #");
    const raw = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
    if (raw.includes(": ") || raw.endsWith(":")) throw notPlain;
    return raw;
  }

  /** The key that begins here, with a colon behind it; null where none does. */
  #key(at: number): ScalarNode | null {
    if (this.#lastKey?.at === at) return this.#lastKey.node;
    const node = this.#readKey(at);
    if (node !== null) this.#lastKey = { at, node };
    return node;
  }

  #readKey(at: number): ScalarNode | null {
    const first = this.#text[at];
    if (first === '"' || first === "'") {
      const node = quotedAt(this.#source, at);
      return this.#isColon(node.written.end) ? node : null;
    }
    plainKey.lastIndex = at;
    if (!plainKey.test(this.#text)) return null;
    const end = plainKey.lastIndex;
    if (!this.#isColon(end)) return null;
    const node = resolvePlain(this.#source, this.#text.slice(at, end), at);
    if (typeof node.value !== "string") throw notPlain;
    return node;
  }

  #isColon(at: number): boolean {
    if (this.#text[at] !== ":") return false;
    const next = this.#text[at + 1];
    return next === " " || next === "\n" || next === undefined;
  }

  /** Whether nothing but a comment is left in the line; a comment has a blank before it. */
  #isLineEnd(at: number, after: number): boolean {
    return at === this.#lines.end || (this.#text[at] === "#" && at > after);
  }

  #literal(at: number, column: number): ScalarNode {
    const lines = this.#lines;
    const header = this.#text.slice(at, lines.end).trimEnd();
    if (header !== "|" && header !== "|-" && header !== "|+") throw notPlain;
    lines.next();
    const value = lines.literal(column, header);
    const written = { start: at, end: lines.before };
    return { kind: "scalar", value, raw: value, source: this.#source, written };
  }

  #count(): void {
    this.#nodes += 1;
    if (this.#nodes > maxNodes) throw notPlain;
  }

  #range(start: number, last: TreeNode | undefined) {
    this.#count();
    return { source: this.#source, written: { start, end: last?.written.end ?? start } };
  }
}

/** So many names are compared one by one: a set for each small map would cost more. */
const maxCompared = 16;

/** The names of a map with one more; the set is made where it is worth it. */
function withName(
  names: Set<string> | null,
  name: string,
  entries: readonly TreeEntry[],
): Set<string> | null {
  if (entries.length < maxCompared) {
    for (const entry of entries) if (entry.name === name) throw notPlain;
    return null;
  }
  const all = names ?? new Set(entries.map((entry) => entry.name));
  if (all.has(name)) throw notPlain;
  return all.add(name);
}

/** What keys are in every configuration; what else may be one, the full parser knows. */
const plainKey = /[A-Za-z0-9_$./][-A-Za-z0-9_$./@+]*/y;
