import type { SourceText, TextRange } from "./source-text.ts";

/**
 * What a file says, as values at their places. A tree may be put together of several files: each
 * node knows its own.
 */
export type TreeNode = ScalarNode | MapNode | ListNode;

interface Written {
  readonly source: SourceText;
  /** Where this stands in the file; of an aliased value the alias: it is what this part says. */
  readonly written: TextRange;
  /** A tag of the file's own format, such as `!reset`; absent where there is none. */
  readonly tag?: string;
}

export interface ScalarNode extends Written {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** As it stands in the file, without quotes; a number in it keeps its spelling. */
  readonly raw: string;
  /** It has a mistake, which was reported: whoever asks for it as text gets nothing. */
  readonly refused?: boolean;
}

export interface ListNode extends Written {
  readonly kind: "list";
  readonly items: readonly TreeNode[];
}

/** Names are unique in a map. */
export interface MapNode extends Written {
  readonly kind: "map";
  readonly entries: readonly TreeEntry[];
}

export interface TreeEntry {
  readonly name: string;
  readonly key: ScalarNode;
  readonly value: TreeNode;
}

/** The value of a key; undefined where the node has none, or is no map. */
export function valueOf(node: TreeNode | undefined, name: string): TreeNode | undefined {
  return entryOf(node, name)?.value;
}

export function entryOf(node: TreeNode | undefined, name: string): TreeEntry | undefined {
  if (node?.kind !== "map") return undefined;
  for (const entry of node.entries) if (entry.name === name) return entry;
  return undefined;
}

/** The items of a key's list; none where it has no list. */
export function itemsOf(node: TreeNode | undefined, name: string): readonly TreeNode[] {
  const value = valueOf(node, name);
  return value?.kind === "list" ? value.items : [];
}

/** The text of a key; undefined where it has none. */
export function textOf(node: TreeNode | undefined, name: string): string | undefined {
  const value = valueOf(node, name);
  return value?.kind === "scalar" && typeof value.value === "string" ? value.value : undefined;
}

/** As JSON has it; `__proto__` is a key like any other. */
export function toPlain(node: TreeNode): unknown {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "list":
      return node.items.map(toPlain);
    case "map": {
      const plain: Record<string, unknown> = {};
      for (const { name, value } of node.entries) {
        if (name !== "__proto__") plain[name] = toPlain(value);
        else Object.defineProperty(plain, name, { value: toPlain(value), enumerable: true });
      }
      return plain;
    }
  }
}
