import type { SourceModel } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";

type LeftOut = SourceModel["leftOut"];

const notYet = "Not supported yet.";

/** Metadata that changes what should run; the rest describes, and is for people. */
const effectiveMetadata = ["architectures", "attributes", "globalMemoryLimit"] as const;

/** Names every other part of a devfile that is not run, and sorts all of them by their lines. */
export function listUnread(top: MapCursor, leftOut: LeftOut): void {
  const parts = [
    ...effectiveMetadata.flatMap((key) =>
      part(top.get("metadata")?.map() ?? null, key, "metadata"),
    ),
    ...part(top, "attributes"),
    ...part(top, "parent"),
    ...items(top, { key: "starterProjects", one: "starter project" }),
    ...items(top, { key: "dependentProjects", one: "dependent project" }),
  ];
  for (const { what, at } of parts) leftOut.push({ what, why: notYet, where: at.where });
  leftOut.sort((a, b) => lineOf(a) - lineOf(b));
}

interface Part {
  readonly what: string;
  readonly at: Cursor;
}

/** A map that is left out as a whole. */
function part(map: MapCursor | null, key: string, inside?: string): Part[] {
  const at = map?.key(key) ?? null;
  if (at === null || map?.get(key) === null) return [];
  if (inside === undefined) map?.get(key)?.map();
  return [{ what: inside === undefined ? key : `${inside}.${key}`, at }];
}

/** A list of which every item is left out, by its name. */
function items(top: MapCursor, of: { key: string; one: string }): Part[] {
  return top.list(of.key).map((at) => {
    const example = `my-${of.one.replaceAll(" ", "-")}`;
    const name = at.map()?.required("name", example)?.string() ?? null;
    return { what: name === null ? of.one : `${of.one} ${quote(name)}`, at };
  });
}

function lineOf({ where }: LeftOut[number]): number {
  return "line" in where ? where.line : 0;
}
