import { known } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import { quote } from "./source-text.ts";
import type { SourceText, TextRange } from "./source-text.ts";
import type { TreeEntry, TreeNode } from "./tree.ts";

/**
 * A value of a parsed file, at its place. Readers walk by cursors and ask for a type; what does not
 * fit is reported at the value, and the reader goes on with null, so that one run finds every
 * mistake.
 */
export class Cursor {
  readonly node: TreeNode;
  readonly #checked: boolean;
  #where: Place | null = null;

  /**
   * @param checked Somebody has held the tree to its schema, and has reported what does not fit:
   * types and missing keys are not reported again.
   */
  constructor(node: TreeNode, checked = false) {
    this.node = node;
    this.#checked = checked;
  }

  get source(): SourceText {
    return this.node.source;
  }

  get written(): TextRange {
    return this.node.written;
  }

  get where(): Place {
    return (this.#where ??= this.source.place(this.written.start));
  }

  get isNull(): boolean {
    return this.node.kind === "scalar" && this.node.value === null;
  }

  /** The value if it is text; where it is not, nothing is reported. */
  get plain(): string | null {
    const value = this.#scalar();
    return typeof value === "string" ? value : null;
  }

  fact<Value>(value: Value): Fact<Value> {
    return known(value, this.where);
  }

  error(code: string, message: string): void {
    this.source.report(this.written, { severity: "error", code, message });
  }

  warning(code: string, message: string): void {
    this.source.report(this.written, { severity: "warning", code, message });
  }

  /** The entries of a map; null, and reported, when it is none. */
  map(): MapCursor | null {
    if (this.node.kind === "map") return new MapCursor(this, this.node.entries);
    this.#wrongType("a map of keys and values");
    return null;
  }

  /** The items of a list; null, and reported, when it is none. */
  list(): Cursor[] | null {
    if (this.node.kind === "list") return this.node.items.map((item) => this.at(item));
    this.#wrongType("a list");
    return null;
  }

  /**
   * Text; null, and reported, when it is none. Characters that no environment, argument vector or
   * database can hold are refused here, for every reader.
   */
  string(): string | null {
    const value = this.#scalar();
    if (typeof value !== "string") {
      this.#wrongType("text");
      return null;
    }
    if (this.node.kind === "scalar" && this.node.refused === true) return null;
    // A lone half of a surrogate pair can only come from an escape such as "\ud800".
    if (/[\0\p{Surrogate}]/u.test(value)) {
      this.error("bad-character", "This text has a NUL or half a character in it: remove it.");
      return null;
    }
    return value;
  }

  boolean(): boolean | null {
    const value = this.#scalar();
    if (typeof value === "boolean") return value;
    this.#wrongType("true or false");
    return null;
  }

  integer(): number | null {
    const value = this.#scalar();
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    this.#wrongType("a whole number");
    return null;
  }

  /** Reports that a key of this map is missing. */
  missing(name: string, example: string): void {
    if (this.#checked) return;
    this.error(
      "missing-key",
      `The key ${quote(name)} is missing: add one, such as \`${name}: ${example}\`.`,
    );
  }

  #scalar(): unknown {
    return this.node.kind === "scalar" ? this.node.value : undefined;
  }

  /** Another node of the same tree. */
  at(node: TreeNode): Cursor {
    return new Cursor(node, this.#checked);
  }

  #wrongType(wanted: string): void {
    if (!this.#checked) this.error("wrong-type", wrongType(this.node, wanted));
  }
}

interface Entry {
  readonly name: string;
  readonly key: Cursor;
  readonly value: Cursor;
}

/** Larger maps get an index of their names: a search in each of thousands of small ones is quicker. */
const maxSearched = 16;

/** The entries of a map. A key with the value null counts as absent, as Kubernetes' own readers have it. */
export class MapCursor {
  readonly self: Cursor;
  readonly #nodes: readonly TreeEntry[];
  #byName: ReadonlyMap<string, TreeEntry> | null = null;

  constructor(self: Cursor, nodes: readonly TreeEntry[]) {
    this.self = self;
    this.#nodes = nodes;
  }

  get entries(): readonly Entry[] {
    return this.#nodes.map(({ name, key, value }) => ({
      name,
      key: this.self.at(key),
      value: this.self.at(value),
    }));
  }

  get where(): Place {
    return this.self.where;
  }

  get(name: string): Cursor | null {
    const node = this.#entry(name)?.value;
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return null;
    return this.self.at(node);
  }

  /** Whether the key stands there, with a value or not. */
  has(name: string): boolean {
    return this.#entry(name) !== undefined;
  }

  /** The place of a key itself, present with a value or not. */
  key(name: string): Cursor | null {
    const node = this.#entry(name)?.key;
    return node === undefined ? null : this.self.at(node);
  }

  /** Reports at the key, or where that is absent too at the map, that the value is missing. */
  required(name: string, example: string): Cursor | null {
    const value = this.get(name);
    if (value === null) (this.key(name) ?? this.self).missing(name, example);
    return value;
  }

  /**
   * The map of a key: `volume:` and `volume: {}` say the same. Null, and reported, when it is no map.
   */
  body(name: string): MapCursor | null {
    const value = this.get(name);
    return value === null ? new MapCursor(this.key(name) ?? this.self, []) : value.map();
  }

  list(name: string): Cursor[] {
    return this.get(name)?.list() ?? [];
  }

  #entry(name: string): TreeEntry | undefined {
    if (this.#nodes.length <= maxSearched) {
      // No function is made for it: this is asked for each key that a format knows, in every map.
      for (const entry of this.#nodes) if (entry.name === name) return entry;
      return undefined;
    }
    this.#byName ??= new Map(this.#nodes.map((entry) => [entry.name, entry]));
    return this.#byName.get(name);
  }
}

/** That a value is not `wanted`, such as "a list", and what to do. */
export function wrongType(node: TreeNode, wanted: string): string {
  const quoted = wanted === "text" && node.kind === "scalar" && node.value !== null;
  const advice = quoted ? `: put it in quotes, ${JSON.stringify(node.raw)}.` : ".";
  return `This must be ${wanted}, not ${describe(node)}${advice}`;
}

function describe(node: TreeNode): string {
  if (node.kind === "map") return "a map";
  if (node.kind === "list") return "a list";
  if (node.value === null) return "empty";
  if (typeof node.value === "string") return "text";
  return typeof node.value === "boolean" ? "true or false" : "a number";
}
