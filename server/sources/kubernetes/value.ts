import { known } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import type { SourceText } from "../yaml/source-text.ts";
import { entryOf } from "../yaml/tree.ts";
import type { TreeNode } from "../yaml/tree.ts";

/**
 * A value of an object, with its path as the API names it. The object has been held to its shape
 * before: what does not fit is reported already, and is absent here.
 */
export class Value {
  readonly node: TreeNode;
  readonly #within: string | Value;
  readonly #step: string | number;

  /**
   * @param within Its path; or what it is a part of, and by which key or at which place. Few paths are
   * ever said, and a large file has a hundred thousand values.
   */
  constructor(node: TreeNode, within: string | Value, step: string | number = "") {
    this.node = node;
    this.#within = within;
    this.#step = step;
  }

  /** Such as `spec.template.spec.containers[0].env`; empty for the object itself. */
  get path(): string {
    const within = this.#within;
    if (typeof within === "string") return within;
    const step = this.#step;
    return typeof step === "number" ? `${within.path}[${step}]` : join(within.path, step);
  }

  get where(): Place {
    return placeOf(this.node);
  }

  fact<Type>(value: Type): Fact<Type> {
    return known(value, this.where);
  }

  /** The value of a key; null is absent, as the API has it. */
  get(name: string): Value | null {
    const node = entryOf(this.node, name)?.value;
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return null;
    return new Value(node, this, name);
  }

  /** By several keys, one inside the other. */
  at(...names: readonly string[]): Value | null {
    const [first, ...others] = names;
    if (first === undefined) return this;
    return this.get(first)?.at(...others) ?? null;
  }

  items(name: string): Value[] {
    return this.get(name)?.list ?? [];
  }

  get list(): Value[] {
    if (this.node.kind !== "list") return [];
    return this.node.items.map((item, at) => new Value(item, this, at));
  }

  /** The entries of a map; those without a value are left out. */
  get entries(): { readonly name: string; readonly key: Value; readonly value: Value }[] {
    if (this.node.kind !== "map") return [];
    return this.node.entries
      .filter(({ value }) => value.kind !== "scalar" || value.value !== null)
      .map(({ name, key, value }) => ({
        name,
        key: new Value(key, this, name),
        value: new Value(value, this, name),
      }));
  }

  get scalar(): string | number | boolean | null {
    return this.node.kind === "scalar" ? this.node.value : null;
  }

  /** A scalar as it is spelled. */
  get raw(): string {
    return this.node.kind === "scalar" ? this.node.raw : "";
  }

  text(name: string): string | null {
    const value = this.get(name)?.scalar ?? null;
    return typeof value === "string" ? value : null;
  }

  int(name: string): number | null {
    const value = this.get(name);
    return value === null ? null : intOf(value.node);
  }

  bool(name: string): boolean | null {
    const value = this.get(name);
    const scalar = value?.scalar ?? null;
    if (typeof scalar === "boolean") return scalar;
    // YAML 1.1 has these words for true and false, and with it the API's own reader.
    return value === null || scalar === null ? null : /^(?:y|yes|on)$/i.test(value.raw);
  }

  /** Texts of a list. */
  texts(name: string): string[] | null {
    const list = this.get(name);
    return list === null ? null : list.list.map((item) => String(item.scalar));
  }

  /** A map of texts, such as labels. */
  map(name: string): Map<string, string> {
    return this.get(name)?.ownMap ?? new Map<string, string>();
  }

  get ownMap(): Map<string, string> {
    return new Map(this.entries.map(({ name, value }) => [name, String(value.scalar)]));
  }
}

export function placeOf(node: { source: SourceText; written: { start: number } }): Place {
  return node.source.place(node.written.start);
}

export function join(path: string, name: string): string {
  // Keys of labels and data have dots in them: the API's own messages set those in brackets.
  if (/[.[\]]/.test(name)) return `${path}[${name}]`;
  return path === "" ? name : `${path}.${name}`;
}

/**
 * A whole number as the API's YAML reader has it: `0644` is octal there (go-yaml follows YAML 1.1),
 * and a file's mode is written so.
 */
export function intOf(node: TreeNode): number | null {
  if (node.kind !== "scalar" || typeof node.value !== "number") return null;
  const octal = /^([-+]?)0o?([0-7]+)$/.exec(node.raw);
  if (octal?.[2] !== undefined && isPlain(node)) return Number.parseInt(octal[2], 8);
  return Number.isSafeInteger(node.value) ? node.value : null;
}

/** Written without quotes. */
export function isPlain(node: TreeNode): boolean {
  return !/["'|>]/.test(node.source.text[node.written.start] ?? "");
}
