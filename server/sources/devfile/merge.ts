import { formatPlace } from "../../protocol/fact.ts";
import { quote } from "../yaml/source-text.ts";
import { entryOf, itemsOf, textOf, valueOf } from "../yaml/tree.ts";
import type { ListNode, MapNode, TreeEntry, TreeNode } from "../yaml/tree.ts";
import { isTopList, isTopMap, topLists, topMaps } from "./overrides.ts";

/** What is taken in: the parent, or the plugin of a component. */
export interface TakenIn {
  /** How a message calls it, such as `the parent`. */
  readonly from: string;
  readonly content: MapNode;
}

export interface Parts {
  readonly main: MapNode;
  /** The parent first, then the plugins in their order: with their overrides in them. */
  readonly takenIn: readonly TakenIn[];
  /** The components of `main` for which plugins were taken in. */
  readonly replaced: ReadonlySet<TreeNode>;
}

/**
 * One devfile of several, in the order parent, plugins, main (devfile/api,
 * `MergeDevWorkspaceTemplateSpec`): lists and events are joined; of variables and attributes with one
 * name the later counts. What is in the parent or a plugin already cannot stand in the main file
 * again, only in its overrides; that is reported.
 */
export function mergeParts({ main, takenIn, replaced }: Parts): MapNode {
  for (const { from, content } of takenIn) reportTwice(main, content, from);
  const contents = [...takenIn.map(({ content }) => content), main];
  const kept: MapNode = {
    ...main,
    entries: main.entries.filter(({ name }) => name !== "parent" && !isMerged(name)),
  };
  const names = new Set(contents.flatMap(({ entries }) => entries.map(({ name }) => name)));
  const merged = [...names].filter(isMerged).flatMap((name) => {
    const all = contents.flatMap((content) => entryOf(content, name) ?? []);
    return isTopList(name) ? joinLists(all, replaced) : joinMaps(all, name === "events");
  });
  return { ...kept, entries: [...kept.entries, ...merged] };
}

function isMerged(name: string): boolean {
  return isTopList(name) || isTopMap(name) || name === "events";
}

/** No entry where nothing is left in it. */
function joinLists(all: readonly TreeEntry[], replaced: ReadonlySet<TreeNode>): TreeEntry[] {
  const items = all
    .flatMap(({ value }) => (value.kind === "list" ? value.items : []))
    .filter((item) => !replaced.has(item));
  const last = all.findLast(({ value }) => value.kind === "list");
  if (last?.value.kind !== "list" || items.length === 0) return [];
  return [{ ...last, value: { ...last.value, items } }];
}

function joinMaps(all: readonly TreeEntry[], events: boolean): TreeEntry[] {
  const entries = new Map<string, TreeEntry>();
  for (const { value } of all) {
    for (const each of value.kind === "map" ? value.entries : []) {
      const before = entries.get(each.name);
      entries.set(each.name, events && before !== undefined ? joinEvent(before, each) : each);
    }
  }
  const last = all.findLast(({ value }) => value.kind === "map");
  if (last?.value.kind !== "map") return [];
  return [{ ...last, value: { ...last.value, entries: [...entries.values()] } }];
}

/** Each command once, where it stood first. */
function joinEvent(before: TreeEntry, after: TreeEntry): TreeEntry {
  const [a, b] = [before.value, after.value];
  if (a.kind !== "list" || b.kind !== "list") return after;
  const names = new Set(a.items.map(nameOf));
  const items = [...a.items, ...b.items.filter((item) => !names.has(nameOf(item)))];
  const value: ListNode = { ...b, items };
  return { ...after, value };
}

function nameOf(node: TreeNode): unknown {
  return node.kind === "scalar" ? node.value : node;
}

function reportTwice(main: MapNode, other: MapNode, from: string): void {
  const say = (one: string, at: TreeNode, first: TreeNode) => {
    const name = at.kind === "scalar" ? String(at.value) : "";
    const place = formatPlace(first.source.place(first.written.start));
    at.source.report(at.written, {
      severity: "error",
      code: "already-taken-in",
      message: `A ${one} ${quote(name)} is in ${from} already (${place}): override it there, or rename this one.`,
    });
  };
  for (const [list, { key, one }] of Object.entries(topLists)) {
    const there = new Map(
      itemsOf(other, list).map((item) => [textOf(item, key), valueOf(item, key)]),
    );
    for (const item of itemsOf(main, list)) {
      const at = valueOf(item, key);
      const name = textOf(item, key);
      const first = name === undefined ? undefined : there.get(name);
      if (at !== undefined && first !== undefined) say(one, at, first);
    }
  }
  for (const [map, one] of Object.entries(topMaps)) {
    const mine = valueOf(main, map);
    for (const { name, key } of mine?.kind === "map" ? mine.entries : []) {
      const first = entryOf(valueOf(other, map), name);
      if (first !== undefined) say(one, key, first.key);
    }
  }
}
