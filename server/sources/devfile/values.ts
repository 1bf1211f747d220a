import type { Fact } from "../../protocol/fact.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import type { DevfileContext, Named } from "./model.ts";
import { badChoice } from "./words.ts";

/** A devfile's name of a thing, or its id; null when it is missing or bad, which its schema reported. */
export function readName(map: MapCursor, key: "name" | "id" = "name"): Named | null {
  const at = map.get(key);
  const text = at?.string() ?? null;
  if (at === null || text === null) return null;
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) ? { text, at } : null;
}

/** Which one of `kinds` a map is; null when it has none or two as keys, which its schema reported. */
export function readKind<Kind extends string>(map: MapCursor, kinds: readonly Kind[]): Kind | null {
  let kind: Kind | null = null;
  for (const each of kinds) {
    if (!map.has(each)) continue;
    if (kind !== null) return null;
    kind = each;
  }
  return kind;
}

/** Attributes and annotations: named as left out, with their line. */
export function leaveOutKey(
  map: MapCursor,
  { key, of }: { key: "attributes" | "annotation"; of: string },
  { leftOut }: Pick<DevfileContext, "leftOut">,
): void {
  const cursor = map.get(key);
  if (cursor === null) return;
  cursor.map();
  leftOut.push({
    what: `${key} of ${of}`,
    why: "Attributes and annotations are for other tools: Oneloop knows none of them.",
    where: (map.key(key) ?? cursor).where,
  });
}

/**
 * A Kubernetes quantity. Null when the key is absent and for 0, which Kubernetes' devfile tools take
 * for "no limit".
 */
export function readQuantity(
  { cursor, absentAt }: { cursor: Cursor | null; absentAt: Cursor | MapCursor },
  { parse, example }: { parse: (text: string) => number | null; example: string },
): Fact<number | null> {
  if (cursor === null) return { known: true, value: null, where: absentAt.where };
  const text = cursor.string();
  if (text === null) return cursor.fact(null);
  const value = parse(text);
  if (value === null) {
    cursor.error(
      "bad-quantity",
      `${quote(text)} is no amount: write one such as ${example} (suffixes k, M, G, Ki, Mi, Gi, m).`,
    );
  }
  return cursor.fact(value === 0 ? null : value);
}

/** Where a mount would hide the supervisor or what the kernel shows. */
const reservedRoots = [supervisorMount, "/proc", "/sys", "/dev"];

/**
 * An absolute path inside a container, without a slash at the end. A relative one is taken from `/`,
 * as kubelet does, with a warning. Null, and reported, where nothing can be mounted.
 */
export function readMountPath(cursor: Cursor): string | null {
  const text = cursor.string();
  if (text === null) return null;
  const segments = text.split("/").filter((segment) => segment !== "" && segment !== ".");
  const path = `/${segments.join("/")}`;
  if (segments.includes("..") || /[\p{Cc}:]/u.test(text) || segments.length === 0) {
    cursor.error(
      "bad-path",
      `Nothing can be mounted at ${quote(text)}: write an absolute path without ".." and ":".`,
    );
    return null;
  }
  if (reservedRoots.some((root) => path === root || path.startsWith(`${root}/`))) {
    cursor.error("reserved-path", `${quote(path)} is taken in every container: use another path.`);
    return null;
  }
  if (!text.startsWith("/")) {
    cursor.warning("relative-path", `${quote(text)} is taken as ${quote(path)}: write it so.`);
  }
  return path;
}

/** Reports what is no path and no URL (devfile/api, `ValidateURI`). */
export function checkUri(cursor: Cursor): void {
  const text = cursor.string();
  if (text === null) return;
  const base = /^https?:/i.test(text) ? undefined : "https://example.org/";
  if (
    text.trim() === "" ||
    /[\s\p{Cc}]/u.test(text) ||
    /%(?![0-9a-f]{2})/i.test(text) ||
    !canParse(text, base)
  ) {
    cursor.error("bad-uri", `${quote(text)} is no path and no URL: check it.`);
  }
}

function canParse(text: string, base: string | undefined): boolean {
  try {
    return new URL(text, base).href !== "";
  } catch {
    return false;
  }
}

/** A list of text; null, "as the image has it", when it is absent or empty. */
export function readArguments({
  cursor,
  absentAt,
}: {
  cursor: Cursor | null;
  absentAt: MapCursor;
}): Fact<string[] | null> {
  if (cursor === null) return { known: true, value: null, where: absentAt.where };
  const items = (cursor.list() ?? []).flatMap((item) => item.string() ?? []);
  return cursor.fact(items.length === 0 ? null : items);
}

/** One of a closed list; null, and reported, when it is another. */
export function readChoice<Choice extends string>(
  cursor: Cursor,
  choices: readonly Choice[],
): Choice | null {
  const text = cursor.string();
  if (text === null) return null;
  const choice = choices.find((each) => each === text);
  if (choice === undefined) {
    cursor.error("bad-choice", badChoice(text, choices));
    return null;
  }
  return choice;
}
