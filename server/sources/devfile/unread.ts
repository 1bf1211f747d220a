import type { SourceModel } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { mirrorAttributes, readMirror } from "./mirror.ts";

type LeftOut = SourceModel["leftOut"];

/** Metadata that changes what should run; the rest describes, and is for people. */
const effectiveMetadata = ["architectures", "attributes", "globalMemoryLimit"] as const;

/** Names what else of a devfile is not run, and sorts all that is left out by its lines. */
export function listUnread(top: MapCursor, leftOut: LeftOut): void {
  const metadata = top.get("metadata")?.map() ?? null;
  const parts = [
    ...effectiveMetadata.flatMap((key) => part(metadata, { key, what: `metadata.${key}` })),
    ...unreadAttributes(top),
  ];
  for (const { what, at } of parts)
    leftOut.push({ what, why: "Not supported yet.", where: at.where });
  leftOut.sort((a, b) => order(a).localeCompare(order(b)) || lineOf(a) - lineOf(b));
  /** The main file's before those of others. */
  function order({ where }: LeftOut[number]): string {
    const main = "file" in top.where ? top.where.file : "";
    return "file" in where && where.file !== main ? where.file : "";
  }
}

/** Where some are Oneloop's own, the others one by one. */
function unreadAttributes(top: MapCursor): { what: string; at: Cursor }[] {
  const all = part(top, { key: "attributes", what: "attributes" });
  const entries = all.length === 0 ? [] : (top.get("attributes")?.map()?.entries ?? []);
  const own = readMirror(top).mirror === undefined ? [] : mirrorAttributes;
  const others = entries.filter(({ name }) => !own.includes(name));
  if (others.length === entries.length) return all;
  return others.map(({ name, key }) => ({ what: `attributes.${name}`, at: key }));
}

/** A map that is left out as a whole. */
function part(
  map: MapCursor | null,
  { key, what }: { key: string; what: string },
): { what: string; at: Cursor }[] {
  const at = map?.key(key) ?? null;
  return at === null || map?.get(key) === null ? [] : [{ what, at }];
}

function lineOf({ where }: LeftOut[number]): number {
  return "line" in where ? where.line : 0;
}
