import { unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { supervisorMount } from "../../protocol/supervisor.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";

/** A devfile's name of a component or endpoint; null, and reported, when it is missing or bad. */
export function readName(
  map: MapCursor,
  { example, maxChars }: { example: string; maxChars: number },
): { readonly text: string; readonly at: Cursor } | null {
  const at = map.required("name", example);
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
 * A Kubernetes quantity. Null when the key is absent and for 0, which Kubernetes' devfile tools take
 * for "no limit"; unknown where a `{{variable}}` stands in it.
 */
export function readQuantity(
  { cursor, absentAt }: { cursor: Cursor | null; absentAt: Cursor | MapCursor },
  { parse, example }: { parse: (text: string) => number | null; example: string },
): Fact<number | null> {
  if (cursor === null) return { known: true, value: null, where: absentAt.where };
  const text = cursor.string();
  if (text === null) return cursor.fact(null);
  if (text.includes("{{")) return unknown("Variables are not supported yet.", cursor.where);
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

/** A list of text; null, "as the image has it", when it is absent or empty. */
export function readArguments(cursor: Cursor | null, absentAt: MapCursor): Fact<string[] | null> {
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
    cursor.error("bad-choice", `${quote(text)} is none of ${choices.join(", ")}: use one of them.`);
    return null;
  }
  return choice;
}
