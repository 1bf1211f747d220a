import { Cursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import type { TreeNode } from "../yaml/tree.ts";
import type { Version } from "./version.ts";

/**
 * The version of a devfile. Null, and reported, where it has none, or one that is not supported:
 * other versions have other keys, and nothing else is read then.
 */
export function readVersion(tree: TreeNode): Version | null {
  const cursor = new Cursor(tree).map()?.required("schemaVersion", "2.2.0") ?? null;
  const text = cursor?.string() ?? null;
  if (cursor === null || text === null) return null;
  const match =
    /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-[0-9a-z-]+(?:\.[0-9a-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/.exec(
      text,
    );
  const [major, minor, patch] = (match ?? []).slice(1).map(Number);
  if (major === undefined || minor === undefined || patch === undefined) {
    cursor.error("bad-version", `${quote(text)} is no version: write one such as 2.2.0.`);
    return null;
  }
  if (major !== 2 || minor > 3) {
    cursor.error(
      "unsupported-version",
      `Devfiles of version ${quote(text)} are not supported: use 2.0.0 to 2.3.0.`,
    );
    return null;
  }
  return [major, minor, patch];
}
