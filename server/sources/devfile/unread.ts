import type { SourceModel } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";

type LeftOut = SourceModel["leftOut"];

const notYet = "Not supported yet.";

/** Metadata that changes what should run; the rest describes, and is for people. */
const effectiveMetadata = ["architectures", "attributes", "globalMemoryLimit"] as const;

/** Names every part of a devfile outside its components that is not run. */
export function listUnread(top: MapCursor, leftOut: LeftOut): void {
  const parts = [
    ...effectiveMetadata.flatMap((key) =>
      part(top.get("metadata")?.map() ?? null, key, "metadata"),
    ),
    ...part(top, "attributes"),
    ...part(top, "variables"),
    ...part(top, "parent"),
    ...items(top, { key: "commands", one: "command", id: "id" }),
    ...items(top, { key: "projects", one: "project", id: "name" }),
    ...items(top, { key: "starterProjects", one: "starter project", id: "name" }),
    ...items(top, { key: "dependentProjects", one: "dependent project", id: "name" }),
    ...events(top),
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
function items(top: MapCursor, of: { key: string; one: string; id: string }): Part[] {
  return top.list(of.key).map((at) => {
    const name =
      at
        .map()
        ?.required(of.id, `my-${of.one.replaceAll(" ", "-")}`)
        ?.string() ?? null;
    return { what: name === null ? of.one : `${of.one} ${quote(name)}`, at };
  });
}

function events(top: MapCursor): Part[] {
  const map = top.get("events")?.map() ?? null;
  return (map?.entries ?? []).map(({ name, key }) => ({ what: `event ${quote(name)}`, at: key }));
}

function lineOf({ where }: LeftOut[number]): number {
  return "line" in where ? where.line : 0;
}
