import { didYouMean } from "../near-names.ts";
import { quote } from "../yaml/source-text.ts";
import type { Finding, TextRange } from "../yaml/source-text.ts";
import { valueOf } from "../yaml/tree.ts";
import type { MapNode, ScalarNode, TreeNode } from "../yaml/tree.ts";
import { before } from "./version.ts";
import type { Version } from "./version.ts";
import { variablePlaces, type Places } from "./variable-places.ts";

const reference = /\{\{([^{}]*)\}\}/g;

/** What a person can mean as a variable; `{{.Names}}` and `{{json .}}` are other programs' own. */
const variableName = /^[\w](?:[-\w.]*[\w])?$/;

/** One long value, put in a hundred thousand times, would fill the memory. In UTF-16 code units. */
const maxInsertedChars = 1024 * 1024;

/** The version that brought variables: in older devfiles braces are only text. */
const since = [2, 1, 0] as const;

/**
 * Puts the values of `variables` into the texts that may have them (https://devfile.io/docs: not into
 * names, references to names, closed lists, `metadata`, `schemaVersion`, `parent`). A value is put in
 * as it stands: braces in it are text. A variable that does not exist is reported at its column, and
 * stays as it is written.
 */
export function replaceVariables(content: MapNode, version: Version): MapNode {
  if (before(version, since)) return content;
  const replaced = new Replacement(content).node(content, variablePlaces);
  return replaced.kind === "map" ? replaced : content;
}

class Replacement {
  /** Null: the value is no text, which was reported. */
  readonly #values = new Map<string, string | null>();
  #room = maxInsertedChars;

  constructor(content: MapNode) {
    const variables = valueOf(content, "variables");
    for (const { name, value } of variables?.kind === "map" ? variables.entries : []) {
      const plain = value.kind === "scalar" ? value.value : null;
      this.#values.set(name, typeof plain === "string" ? plain : null);
    }
  }

  /** The same node where nothing in it changes. */
  node(node: TreeNode, places: Places): TreeNode {
    if (places === "text") return node.kind === "scalar" ? this.#scalar(node) : node;
    if (places === "keys-and-values") return node.kind === "map" ? this.#record(node) : node;
    if ("each" in places) return node.kind === "list" ? this.#list(node, places.each) : node;
    if (node.kind !== "map") return node;
    const entries = node.entries.map((entry) => {
      const inside = Object.hasOwn(places, entry.name) ? places[entry.name] : undefined;
      if (inside === undefined) return entry;
      const value = this.node(entry.value, inside);
      return value === entry.value ? entry : { ...entry, value };
    });
    const same = entries.every((entry, at) => entry === node.entries[at]);
    return same ? node : { ...node, entries };
  }

  #list(node: TreeNode & { kind: "list" }, places: Places): TreeNode {
    const items = node.items.map((item) => this.node(item, places));
    return items.every((item, at) => item === node.items[at]) ? node : { ...node, items };
  }

  #record(node: MapNode): MapNode {
    const entries = node.entries.map((entry) => {
      const key = this.#scalar(entry.key);
      const value = this.node(entry.value, "text");
      if (key === entry.key && value === entry.value) return entry;
      return { name: key === entry.key ? entry.name : String(key.value), key, value };
    });
    return { ...node, entries };
  }

  #scalar(node: ScalarNode): ScalarNode {
    const written = node.value;
    if (typeof written !== "string" || !written.includes("{{")) return node;
    const references = Array.from(written.matchAll(reference), ([, inside = ""]) => inside.trim());
    if (references.length === 0) return node;
    const places = placesOf(node, references.length);
    let refused = false;
    let nth = 0;
    const value = written.replaceAll(reference, (whole: string) => {
      const range = places?.[nth] ?? node.written;
      const put = this.#valueOf(references[nth] ?? "", { node, range, whole });
      nth += 1;
      refused ||= put === null;
      return put ?? whole;
    });
    return refused ? { ...node, value, refused } : { ...node, value };
  }

  #valueOf(
    name: string,
    at: { readonly node: ScalarNode; readonly range: TextRange; readonly whole: string },
  ): string | null {
    const { node, range, whole } = at;
    const say = (finding: Finding) => node.source.report(range, finding);
    const value = this.#values.get(name);
    if (value === undefined) {
      if (!variableName.test(name)) {
        say({
          severity: "warning",
          code: "not-a-variable",
          message: `${quote(whole)} can be no variable of this devfile: it stays as it is.`,
        });
        return whole;
      }
      const advice = didYouMean(name, this.#values.keys()) || ": add it to `variables`.";
      say({
        severity: "error",
        code: "unknown-variable",
        message: `No variable is named ${quote(name)}${advice}`,
      });
      return null;
    }
    if (value === null) return null;
    this.#room -= value.length;
    if (this.#room >= 0) return value;
    say({
      severity: "error",
      code: "too-much-text",
      message: "With its variables put in, this devfile is too long: shorten them.",
    });
    return null;
  }
}

/**
 * Where the references stand in the file. Null where the written text does not show as many: behind
 * an alias, or written with escapes.
 */
function placesOf({ source, written }: ScalarNode, count: number): TextRange[] | null {
  const raw = source.text.slice(written.start, written.end);
  const places = Array.from(raw.matchAll(reference), ({ 0: { length }, index }) => {
    const start = written.start + index;
    return { start, end: start + length };
  });
  return places.length === count ? places : null;
}
