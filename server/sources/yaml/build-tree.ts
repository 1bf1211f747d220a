import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Alias, Node, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { wrongType } from "./cursor.ts";
import { quote } from "./source-text.ts";
import type { SourceText, TextRange } from "./source-text.ts";
import type { ScalarNode, TreeEntry, TreeNode } from "./tree.ts";
import { fileError, maxDepth, tooDeep } from "./words.ts";

/** Nodes after every alias is replaced: "a billion laughs" ends here, and so does one laugh too many. */
const maxExpandedNodes = 100_000;

/** A node, and how much it would be with its aliases written out. */
interface Built {
  readonly tree: TreeNode;
  readonly nodes: number;
  readonly depth: number;
}

/**
 * The library's nodes as a tree of ours: aliases and merge keys are replaced (an anchor may be given
 * twice; the nearest before counts). Reports keys that stand twice, aliases without an anchor, and
 * what would be too much written out.
 */
export function buildTree(contents: Node, source: SourceText): TreeNode {
  return new Builder(source).build(contents).tree;
}

class Builder {
  readonly #source: SourceText;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  /** What anchors stand for. */
  readonly #done = new Map<Node, Built>();

  constructor(source: SourceText) {
    this.#source = source;
  }

  build(node: Node): Built {
    const built = isAlias(node) ? this.#alias(node) : this.#value(node);
    if (built.nodes > maxExpandedNodes) {
      this.#fail(node, "too-many-nodes", "Written out in full, this is too much: shorten it.");
      return this.#nothing(node);
    }
    if (built.depth > maxDepth) {
      this.#source.report(rangeOf(node), tooDeep);
      return this.#nothing(node);
    }
    return built;
  }

  #alias(alias: Alias): Built {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) {
      this.#fail(alias, "unknown-alias", `No anchor &${alias.source} stands before this alias.`);
    } else if (this.#open.has(target)) {
      this.#fail(alias, "alias-cycle", "This alias stands inside its own anchor: write it out.");
    } else {
      const built = this.#done.get(target);
      if (built !== undefined) {
        return { ...built, tree: { ...built.tree, written: rangeOf(alias) } };
      }
    }
    return this.#nothing(alias);
  }

  #value(node: Exclude<Node, Alias>): Built {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    const built = isMap(node) ? this.#map(node) : isSeq(node) ? this.#list(node) : null;
    this.#open.delete(node);
    const done = built ?? { tree: this.#scalar(node), nodes: 1, depth: 1 };
    if (node.anchor !== undefined) this.#done.set(node, done);
    return done;
  }

  #list(node: YAMLSeq): Built {
    const size = { nodes: 1, depth: 1 };
    const items = node.items.map((item) => this.#child(item as Node, size));
    return { tree: { kind: "list", items, ...this.#at(node) }, ...size };
  }

  /** The map's own entries, then those of its merge keys (`<<: *base`) that it does not have. */
  #map(node: YAMLMap): Built {
    const size = { nodes: 1, depth: 1 };
    const entries = new Map<string, TreeEntry>();
    const merged: TreeNode[] = [];
    const names = new Set<string>();
    for (const { key, value } of node.items as { key: Node | null; value: Node | null }[]) {
      const scalar = this.#key(key, names);
      if (scalar === null) continue;
      const child = value === null ? { ...scalar, value: null, raw: "" } : this.#child(value, size);
      const name = nameOf(scalar);
      if (name === "<<") merged.push(child);
      else entries.set(name, { name, key: scalar, value: child });
    }
    for (const base of merged) {
      for (const map of base.kind === "list" ? base.items : [base]) {
        if (map.kind !== "map") {
          const finding = fileError("wrong-type", wrongType(map, "a map to merge"));
          this.#source.report(map.written, finding);
          continue;
        }
        for (const entry of map.entries) {
          if (!entries.has(entry.name)) entries.set(entry.name, entry);
        }
      }
    }
    return { tree: { kind: "map", entries: [...entries.values()], ...this.#at(node) }, ...size };
  }

  #child(node: Node, size: { nodes: number; depth: number }): TreeNode {
    const inner = this.build(node);
    size.nodes += inner.nodes;
    size.depth = Math.max(size.depth, inner.depth + 1);
    return inner.tree;
  }

  #key(key: Node | null, names: Set<string>): ScalarNode | null {
    if (!isScalar(key)) {
      if (key !== null) this.#fail(key, "bad-key", "A key must be plain text: write it out.");
      return null;
    }
    const scalar = this.#scalar(key);
    if (key.anchor !== undefined) {
      this.#anchors.set(key.anchor, key);
      this.#done.set(key, { tree: scalar, nodes: 1, depth: 1 });
    }
    const name = nameOf(scalar);
    if (names.has(name)) {
      this.#fail(key, "duplicate-key", `The key ${quote(name)} stands here twice: remove one.`);
    }
    names.add(name);
    return scalar;
  }

  #scalar(node: Node): ScalarNode {
    const { value, source } = node as Scalar;
    const plain =
      typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return {
      kind: "scalar",
      value: plain ? value : null,
      raw: source ?? (plain ? String(value) : ""),
      ...this.#at(node),
    };
  }

  #nothing(node: Node): Built {
    return {
      tree: { kind: "scalar", value: null, raw: "", ...this.#at(node) },
      nodes: 1,
      depth: 1,
    };
  }

  #at(node: Node): { source: SourceText; written: TextRange; tag?: string } {
    const tag = node.tag?.startsWith("!") === true ? { tag: node.tag } : {};
    return { source: this.#source, written: rangeOf(node), ...tag };
  }

  #fail(node: Node, code: string, message: string): void {
    this.#source.report(rangeOf(node), fileError(code, message));
  }
}

/** A key as text: `8080:` and `true:` are keys of this spelling. */
function nameOf({ value, raw }: ScalarNode): string {
  return typeof value === "string" ? value : raw === "" ? String(value) : raw;
}

function rangeOf(node: { range?: readonly number[] | null | undefined }): TextRange {
  const [start = 0, end = start] = node.range ?? [];
  return { start, end };
}
