import { notPlain } from "./not-plain.ts";
import type { SourceText } from "./source-text.ts";
import type { ScalarNode, TreeEntry, TreeNode } from "./tree.ts";
import { maxDepth } from "./words.ts";

/** A text in quotes that ends in its line, with the commonest escapes. */
export function quotedAt(source: SourceText, start: number): ScalarNode {
  const single = source.text[start] === "'";
  const pattern = single ? singleQuoted : doubleQuoted;
  pattern.lastIndex = start;
  const match = pattern.exec(source.text);
  if (match === null) throw notPlain;
  const [whole, inside = ""] = match;
  const value = single ? inside.replaceAll("''", "'") : inside.replaceAll(/\\(.)/g, unescape);
  return {
    kind: "scalar",
    value,
    raw: value,
    source,
    written: { start, end: start + whole.length },
  };
}

const singleQuoted = /'((?:[^'\n]|'')*)'/y;
const doubleQuoted = /"((?:[^"\\\n]|\\["\\/nt])*)"/y;

function unescape(_: string, escaped: string): string {
  if (escaped === "n") return "\n";
  return escaped === "t" ? "\t" : escaped;
}

/** What no plain text begins with; `-` may, before something else than a blank. */
const indicator = /^(?:[,[\]{}#&*!|>'"%@`]|[-?:](?:[ ,[\]{}]|$))/;
/** YAML's core schema: what is not text without quotes. */
const special =
  /^(?:~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?\.?[0-9].*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** A value without quotes, which may be a number, or true, or nothing. */
export function resolvePlain(source: SourceText, raw: string, start: number): ScalarNode {
  const isWord = beginsAsText(raw);
  if (!isWord && (raw === "" || indicator.test(raw))) throw notPlain;
  const written = { start, end: start + raw.length };
  return { kind: "scalar", value: isWord ? raw : plainValue(raw), raw, source, written };
}

/** A letter that neither `special` nor an indicator begins with: nearly all keys and values. */
function beginsAsText(raw: string): boolean {
  const letter = raw.charCodeAt(0) | lowerCase;
  if (letter < letterA || letter > letterZ) return false;
  return letter !== letterF && letter !== letterN && letter !== letterT;
}

const lowerCase = 0x20;
const letterA = 0x61;
const letterF = 0x66;
const letterN = 0x6e;
const letterT = 0x74;
const letterZ = 0x7a;

function plainValue(raw: string): ScalarNode["value"] {
  if (!special.test(raw)) return raw;
  switch (raw) {
    case "true":
      return true;
    case "false":
      return false;
    case "null":
    case "~":
      return null;
    default:
      if (/^(?:0|-?[1-9][0-9]{0,14}|[0-9]{1,9}\.[0-9]{1,6})$/.test(raw)) return Number(raw);
      // Versions, amounts, dates, addresses: text that begins with a digit.
      if (/^[0-9]/.test(raw) && !/^[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?$|^0[xo]/.test(raw))
        return raw;
      throw notPlain;
  }
}

/** A list or map in brackets that ends in its line. */
export function flowAt(
  source: SourceText,
  at: number,
  depth: number,
): { readonly node: TreeNode; readonly nodes: number } {
  const reader = new FlowReader(source, at);
  const node = reader.collection(depth);
  return { node, nodes: reader.nodes };
}

class FlowReader {
  readonly #source: SourceText;
  readonly #text: string;
  at: number;
  nodes = 0;

  constructor(source: SourceText, at: number) {
    this.#source = source;
    this.#text = source.text;
    this.at = at;
  }

  collection(depth: number): TreeNode {
    if (depth >= maxDepth - 1) throw notPlain;
    const start = this.at;
    const close = this.#text[start] === "[" ? "]" : "}";
    const items: TreeNode[] = [];
    const entries: TreeEntry[] = [];
    const names = new Set<string>();
    this.at += 1;
    this.#skip();
    if (this.#text[this.at] !== close) {
      for (;;) {
        if (close === "]") items.push(this.#value(depth));
        else entries.push(this.#entry(depth, names));
        this.#skip();
        const next = this.#text[this.at];
        if (next === close) break;
        if (next !== ",") throw notPlain;
        this.at += 1;
        this.#skip();
      }
    }
    this.at += 1;
    this.nodes += 1;
    const place = { source: this.#source, written: { start, end: this.at } };
    return close === "]" ? { kind: "list", items, ...place } : { kind: "map", entries, ...place };
  }

  #entry(depth: number, names: Set<string>): TreeEntry {
    const key = this.#scalar(true);
    if (typeof key.value !== "string" || names.has(key.value)) throw notPlain;
    names.add(key.value);
    if (this.#text[this.at] !== ":" || this.#text[this.at + 1] !== " ") throw notPlain;
    this.at += 1;
    this.#skip();
    return { name: key.value, key, value: this.#value(depth) };
  }

  #value(depth: number): TreeNode {
    const first = this.#text[this.at];
    return first === "[" || first === "{" ? this.collection(depth + 1) : this.#scalar(false);
  }

  #scalar(isKey: boolean): ScalarNode {
    this.nodes += 1;
    const first = this.#text[this.at];
    if (first === '"' || first === "'") {
      const node = quotedAt(this.#source, this.at);
      this.at = node.written.end;
      return node;
    }
    const pattern = isKey ? flowKey : flowText;
    pattern.lastIndex = this.at;
    const end = pattern.test(this.#text) ? pattern.lastIndex : this.at;
    const raw = this.#text.slice(this.at, end);
    const node = resolvePlain(this.#source, raw, this.at);
    this.at += raw.length;
    return node;
  }

  #skip(): void {
    while (this.#text[this.at] === " ") this.at += 1;
  }
}

const flowKey = /[A-Za-z0-9_$./][-A-Za-z0-9_$./@+]*/y;
/** Colons inside, as in `node:20`, blanks inside; nothing that would end it or begin a comment. */
const flowText = /[^\s,[\]{}:#](?:[^\s,[\]{}:#]|:(?![\s,[\]{}])| +(?![\s,[\]{}:#]))*/y;
