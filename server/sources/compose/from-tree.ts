import type { TreeNode } from "../yaml/tree.ts";
import { interpolate } from "./interpolate.ts";
import { Mark } from "./part.ts";
import type { MergeTag, Origin, Part, PartEntry, ScalarPart } from "./part.ts";

/** The tags by which a file says how it is merged into the ones before it. */
export const mergeTags = ["!reset", "!override"];

/**
 * A file's tree with its variables replaced; the texts of a file are replaced before it is merged
 * with others, and its keys stay as they are.
 */
export function fromTree(node: TreeNode, origin: Origin): Part {
  origin.budget.spend(1);
  const mark = new Mark(origin, node.written);
  const tag = tagOf(node);
  switch (node.kind) {
    case "list":
      return { kind: "list", items: node.items.map((item) => fromTree(item, origin)), mark, tag };
    case "map": {
      const entries = new Map<string, PartEntry>();
      for (const { name, key, value } of node.entries) {
        entries.set(name, {
          key: new Mark(origin, key.written),
          value: fromTree(value, origin),
        });
      }
      return { kind: "map", entries, mark, tag };
    }
    case "scalar": {
      const { value, raw } = node;
      if (typeof value === "string") return text(value, mark, tag);
      return {
        kind: "scalar",
        value: plain(value, raw),
        raw,
        unset: [],
        variable: null,
        mark,
        tag,
      };
    }
  }
}

function tagOf({ tag }: TreeNode): MergeTag {
  if (tag === "!reset") return "reset";
  return tag === "!override" ? "override" : null;
}

/** Go's YAML takes `0440` for the octal number that it was in YAML 1.1, as who writes it means it. */
function plain(value: number | boolean | null, raw: string): number | boolean | null {
  return typeof value === "number" && /^[-+]?0[0-7]+$/.test(raw) ? Number.parseInt(raw, 8) : value;
}

function text(value: string, mark: Mark, tag: MergeTag): ScalarPart {
  const { env, budget } = mark.origin;
  const done = interpolate(value, env);
  if ("code" in done) {
    at(mark, value, done.at).error(done.code, done.message);
    return { kind: "scalar", value, raw: value, unset: [], variable: null, mark, tag };
  }
  for (const { name, words } of done.required) {
    const said = words === "" ? "" : ` The file says: ${words.slice(0, 200)}`;
    mark.warning("missing-variable", `${name} must be set for this, and nobody has set it.${said}`);
  }
  budget.spend(Math.ceil(done.text.length / 64));
  return {
    kind: "scalar",
    value: done.text,
    raw: done.text,
    unset: [...new Set(done.unset)],
    variable: done.variable,
    mark,
    tag,
  };
}

/** A character of a text: exact where the file has the text as it is, but for its quotes. */
function at(mark: Mark, value: string, index: number): Mark {
  const { start, end } = mark.written;
  const written = mark.origin.source.text.slice(start, end);
  const quoted = /^["']/.test(written) ? 1 : 0;
  return written.slice(quoted, quoted + value.length) === value
    ? mark.within(quoted + index, quoted + index + 1)
    : mark;
}
