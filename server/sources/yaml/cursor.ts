import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Alias, Node, Scalar } from "yaml";
import { known } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import { quote } from "./source-text.ts";
import type { SourceText, TextRange } from "./source-text.ts";

/**
 * A value of a parsed file, at its place. Readers walk by cursors and ask for a type; what does not
 * fit is reported at the value, and the reader goes on with null, so that one run finds every
 * mistake.
 */
export class Cursor {
  readonly source: SourceText;
  /** Where this stands in the file; of an aliased value the alias: it is what this part says. */
  readonly written: TextRange;
  readonly #node: Node;
  readonly #targets: ReadonlyMap<Alias, Node>;

  constructor(node: Node, source: SourceText, targets: ReadonlyMap<Alias, Node>) {
    this.written = rangeOf(node);
    this.#node = isAlias(node) ? (targets.get(node) ?? node) : node;
    this.source = source;
    this.#targets = targets;
  }

  get where(): Place {
    return this.source.place(this.written.start);
  }

  get isNull(): boolean {
    return isScalar(this.#node) && this.#node.value === null;
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
    if (isMap(this.#node)) return new MapCursor(this, this.#entries(this.#node.items));
    this.#wrongType("a map of keys and values");
    return null;
  }

  /** The items of a list; null, and reported, when it is none. */
  list(): Cursor[] | null {
    if (isSeq(this.#node)) return this.#node.items.map((item) => this.#at(item as Node));
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

  #scalar(): unknown {
    return isScalar(this.#node) ? this.#node.value : undefined;
  }

  #at(node: Node): Cursor {
    return new Cursor(node, this.source, this.#targets);
  }

  /** The map's own entries, then those of its merge keys (`<<: *base`) that it does not have. */
  #entries(items: readonly unknown[]): Entry[] {
    const entries = new Map<string, Entry>();
    const merged: Cursor[] = [];
    for (const item of items) {
      const { key, value } = item as { key: Scalar | null; value: Node | null };
      if (key === null) continue;
      const name = keyText(key);
      const at = value === null ? null : this.#at(value);
      if (name === "<<" && at !== null) merged.push(at);
      else entries.set(name, { name, key: this.#at(key), value: at });
    }
    for (const base of merged) {
      for (const map of isSeq(base.#node) ? (base.list() ?? []) : [base]) {
        for (const entry of map.map()?.entries ?? []) {
          if (!entries.has(entry.name)) entries.set(entry.name, entry);
        }
      }
    }
    return [...entries.values()];
  }

  #wrongType(wanted: string): void {
    const value = this.#scalar();
    const quoted = wanted === "text" && value !== null && value !== undefined;
    const advice = quoted ? `: put it in quotes, ${JSON.stringify(this.#writtenText())}.` : ".";
    this.error("wrong-type", `This must be ${wanted}, not ${describe(this.#node)}${advice}`);
  }

  #writtenText(): string {
    return isScalar(this.#node) ? (this.#node.source ?? String(this.#node.value)) : "";
  }
}

interface Entry {
  readonly name: string;
  readonly key: Cursor;
  readonly value: Cursor | null;
}

/** The entries of a map. A key with the value null counts as absent, as Kubernetes' own readers have it. */
export class MapCursor {
  readonly self: Cursor;
  readonly entries: readonly Entry[];
  readonly #byName: ReadonlyMap<string, Entry>;

  constructor(self: Cursor, entries: readonly Entry[]) {
    this.self = self;
    this.entries = entries;
    this.#byName = new Map(entries.map((entry) => [entry.name, entry]));
  }

  get where(): Place {
    return this.self.where;
  }

  get(name: string): Cursor | null {
    const value = this.#byName.get(name)?.value ?? null;
    return value === null || value.isNull ? null : value;
  }

  /** The place of a key itself, present with a value or not. */
  key(name: string): Cursor | null {
    return this.#byName.get(name)?.key ?? null;
  }

  /** Reports at the key, or where that is absent too at the map, that the value is missing. */
  required(name: string, example: string): Cursor | null {
    const value = this.get(name);
    if (value === null) {
      (this.key(name) ?? this.self).error(
        "missing-key",
        `The key ${quote(name)} is missing: add one, such as \`${name}: ${example}\`.`,
      );
    }
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
}

function rangeOf(node: Node): TextRange {
  const [start = 0, end = start] = node.range ?? [];
  return { start, end };
}

/** A key as text: `8080:` and `true:` are keys of this spelling. */
export function keyText(key: { value: unknown; source?: string }): string {
  return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
}

function describe(node: Node): string {
  if (isMap(node)) return "a map";
  if (isSeq(node)) return "a list";
  if (!isScalar(node) || node.value === null) return "empty";
  if (typeof node.value === "string") return "text";
  return typeof node.value === "boolean" ? "true or false" : "a number";
}
