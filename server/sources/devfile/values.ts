import type { Fact } from "../../protocol/fact.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import type { DevfileContext, Named } from "./model.ts";
import type { Variables } from "./variables.ts";

/** A devfile's name of a thing, or its id; null, and reported, when it is missing or bad. */
export function readName(
  map: MapCursor,
  {
    example,
    key = "name",
    maxChars = 63,
  }: { example: string; key?: "name" | "id"; maxChars?: number },
): Named | null {
  const at = map.required(key, example);
  const text = at?.string() ?? null;
  if (at === null || text === null) return null;
  if (text.length > maxChars) {
    at.error("bad-name", `A name has at most ${maxChars} characters here: shorten it.`);
    return null;
  }
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)) {
    at.error(
      "bad-name",
      `${quote(text)} is no name: use a-z, 0-9 and "-", beginning and ending with a letter or digit.`,
    );
    return null;
  }
  return { text, at };
}

/**
 * Which one of `kinds` a map is: it has exactly one of them as a key. Null, and reported, when it
 * has none or two.
 */
export function readKind<Kind extends string>(
  map: MapCursor,
  kinds: Readonly<Partial<Record<Kind, unknown>>>,
  { one, example }: { one: string; example: string },
): Kind | null {
  const found = (Object.keys(kinds) as Kind[]).filter((kind) => map.key(kind) !== null);
  const [kind, second] = found;
  if (kind === undefined) {
    map.self.error(`no-${one}-kind`, `This ${one} says not what it is: add ${example}.`);
    return null;
  }
  if (second !== undefined) {
    map
      .key(second)
      ?.error(`two-${one}-kinds`, `A ${one} is one thing, not ${kind} and ${second}: split it.`);
    return null;
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
  variables: Variables,
): Fact<number | null> {
  if (cursor === null) return { known: true, value: null, where: absentAt.where };
  const text = variables.text(cursor);
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
export function readMountPath(cursor: Cursor, variables: Variables): string | null {
  const text = variables.text(cursor);
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

/** A list of text; null, "as the image has it", when it is absent or empty. */
export function readArguments(
  { cursor, absentAt }: { cursor: Cursor | null; absentAt: MapCursor },
  variables: Variables,
): Fact<string[] | null> {
  if (cursor === null) return { known: true, value: null, where: absentAt.where };
  const items = (cursor.list() ?? []).flatMap((item) => variables.text(item) ?? []);
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
    cursor.error("bad-choice", `${quote(text)} is none of ${choices.join(", ")}: use one of them.`);
    return null;
  }
  return choice;
}
