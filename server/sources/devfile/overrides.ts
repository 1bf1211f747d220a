import { didYouMean } from "../near-names.ts";
import { quote } from "../yaml/source-text.ts";
import { entryOf, textOf, valueOf } from "../yaml/tree.ts";
import type { ListNode, MapNode, TreeEntry, TreeNode } from "../yaml/tree.ts";

/** The lists at the top of a devfile, and the key by which their items are known. */
export const topLists = {
  components: { key: "name", one: "component" },
  commands: { key: "id", one: "command" },
  projects: { key: "name", one: "project" },
  starterProjects: { key: "name", one: "starter project" },
  dependentProjects: { key: "name", one: "dependent project" },
} as const;

/** The maps at the top of which each key stands for itself. */
export const topMaps = { variables: "variable", attributes: "attribute" } as const;

/** Lists inside those that are merged item by item; every other list is replaced. */
const keyedLists: readonly string[] = ["env", "endpoints", "volumeMounts"];

/** Maps of which the keys are the user's own: none of them excludes another. */
const freeMaps: readonly string[] = ["remotes", "annotation"];

/** Of these a map has one: an override of another kind takes the old one's place. */
const unions: readonly (readonly string[])[] = [
  ["container", "volume", "kubernetes", "openshift", "plugin", "image", "custom"],
  ["exec", "apply", "composite", "vscodeTask", "vscodeLaunch"],
  ["uri", "inlined", "git", "zip", "github", "devfileRegistry", "id", "kubernetes"],
];

/**
 * What a parent or a plugin says with its overrides put in, as a strategic merge patch
 * (Kubernetes' own rules; devfile/api, `OverrideDevWorkspaceTemplateSpec`). Overrides may touch only
 * what is there: others are reported at their place. What stays keeps the place in its own file.
 *
 * @param from How a message calls what is overridden, such as `the parent`.
 */
export function applyOverrides(base: MapNode, overrides: MapNode, from: string): MapNode {
  const entries = base.entries.map((entry): TreeEntry => {
    const patch = valueOf(overrides, entry.name);
    if (patch === undefined) return entry;
    return { ...entry, value: override(entry, patch, from) };
  });
  for (const { name, value } of overrides.entries) {
    if (entryOf(base, name) === undefined) reportNew(name, value, { from, known: [] });
  }
  return { ...base, entries };
}

function override({ name, value: base }: TreeEntry, patch: TreeNode, from: string): TreeNode {
  if (isTopList(name) && base.kind === "list" && patch.kind === "list") {
    const { key } = topLists[name];
    const known = base.items.flatMap((item) => textOf(item, key) ?? []);
    reportNew(name, patch, { from, known });
    return mergeList(base, existing(patch, { key, known }), key);
  }
  if (isTopMap(name) && base.kind === "map" && patch.kind === "map") {
    const known = base.entries.map((entry) => entry.name);
    reportNew(name, patch, { from, known });
    const entries = base.entries.map((entry) => entryOf(patch, entry.name) ?? entry);
    return { ...base, entries };
  }
  return base;
}

export function isTopList(name: string): name is keyof typeof topLists {
  return Object.hasOwn(topLists, name);
}

export function isTopMap(name: string): name is keyof typeof topMaps {
  return Object.hasOwn(topMaps, name);
}

function existing(patch: ListNode, { key, known }: { key: string; known: string[] }): ListNode {
  const names = new Set(known);
  return { ...patch, items: patch.items.filter((item) => names.has(textOf(item, key) ?? "")) };
}

function reportNew(
  name: string,
  patch: TreeNode,
  { from, known }: { from: string; known: readonly string[] },
): void {
  const names = new Set(known);
  const say = (one: string, text: string, at: TreeNode) => {
    if (names.has(text)) return;
    const near = didYouMean(text, known) || ": define it outside of the overrides, or remove it.";
    at.source.report(at.written, {
      severity: "error",
      code: "overrides-nothing",
      message: `No ${one} ${quote(text)} is in ${from} to be overridden${near}`,
    });
  };
  if (isTopList(name) && patch.kind === "list") {
    const { key, one } = topLists[name];
    for (const item of patch.items) {
      const at = valueOf(item, key);
      if (at?.kind === "scalar" && typeof at.value === "string") say(one, at.value, at);
    }
  }
  if (isTopMap(name) && patch.kind === "map") {
    for (const entry of patch.entries) say(topMaps[name], entry.name, entry.key);
  }
}

function mergeList(base: ListNode, patch: ListNode, key: string): ListNode {
  const left = base.items.filter((item) => !has(patch, item, key));
  const right = patch.items.map((item) => {
    const old = base.items.find((each) => same(each, item, key));
    return old === undefined ? item : mergeNode(old, item, "");
  });
  return { ...base, items: interleave({ left, right, order: base.items, key }) };
}

/** The overridden in the order of the overrides, and between them the others where they stood. */
function interleave(lists: {
  left: readonly TreeNode[];
  right: readonly TreeNode[];
  order: readonly TreeNode[];
  key: string;
}): TreeNode[] {
  const { left, right, order, key } = lists;
  const placeOf = new Map(order.map((item, at) => [textOf(item, key), at]));
  const merged: TreeNode[] = [];
  let at = 0;
  for (const item of right) {
    const place = placeOf.get(textOf(item, key));
    const before =
      place === undefined
        ? []
        : takeWhile(left, at, (other) => {
            const stood = placeOf.get(textOf(other, key));
            return stood !== undefined && stood < place;
          });
    at += before.length;
    merged.push(...before, item);
  }
  return [...merged, ...left.slice(at)];
}

function takeWhile<Item>(
  list: readonly Item[],
  from: number,
  isWanted: (item: Item) => boolean,
): Item[] {
  const end = list.findIndex((item, at) => at >= from && !isWanted(item));
  return list.slice(from, end === -1 ? undefined : end);
}

function same(a: TreeNode, b: TreeNode, key: string): boolean {
  const name = textOf(a, key);
  return name !== undefined && name === textOf(b, key);
}

function has(list: ListNode, item: TreeNode, key: string): boolean {
  return list.items.some((each) => same(each, item, key));
}

function mergeNode(base: TreeNode, patch: TreeNode, name: string): TreeNode {
  if (base.kind === "map" && patch.kind === "map") {
    if (name === "attributes") return mergeEntries(base, patch, (_old, value) => value);
    return freeMaps.includes(name) ? mergeFree(base, patch) : mergeMap(base, patch);
  }
  if (base.kind === "list" && patch.kind === "list" && keyedLists.includes(name)) {
    return mergeList(base, patch, "name");
  }
  return patch;
}

function mergeMap(base: MapNode, patch: MapNode): MapNode {
  const gone = new Set<string>();
  for (const union of unions) {
    const chosen = union.filter((each) => entryOf(patch, each) !== undefined);
    if (chosen.length === 0) continue;
    for (const each of union) if (!chosen.includes(each)) gone.add(each);
  }
  const entries = base.entries.filter(({ name }) => !gone.has(name));
  return mergeEntries({ ...base, entries }, patch, mergeNode);
}

function mergeFree(base: TreeNode, patch: TreeNode): TreeNode {
  return base.kind === "map" && patch.kind === "map" ? mergeEntries(base, patch, mergeFree) : patch;
}

function mergeEntries(
  base: MapNode,
  patch: MapNode,
  merge: (old: TreeNode, value: TreeNode, name: string) => TreeNode,
): MapNode {
  const kept = base.entries.map((entry) => {
    const change = entryOf(patch, entry.name);
    if (change === undefined || sameScalar(entry.value, change.value)) return entry;
    return { ...change, value: merge(entry.value, change.value, entry.name) };
  });
  const added = patch.entries.filter(({ name }) => entryOf(base, name) === undefined);
  return { ...base, entries: [...kept, ...added] };
}

/** What says the same stays where it was said first. */
function sameScalar(a: TreeNode, b: TreeNode): boolean {
  return a.kind === "scalar" && b.kind === "scalar" && a.value === b.value;
}
