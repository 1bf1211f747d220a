import type { SourceModel } from "../../protocol/source-model.ts";
import type { MapCursor } from "../yaml/cursor.ts";

/** Oneloop's own attributes of a devfile; see `SourceMirror`. */
export const mirrorAttributes: readonly string[] = ["mirror", "develop"];

/** What production is mirrored from, and what of it is developed here. */
export function readMirror(top: MapCursor): Pick<SourceModel, "mirror"> {
  const attributes = top.get("attributes")?.map() ?? null;
  const source = attributes?.get("mirror") ?? null;
  // Several compose files are a list, or one text with commas.
  const paths =
    source?.node.kind === "list" ? source.list()?.flatMap(({ plain }) => plain ?? []) : null;
  const text = paths?.join(",") ?? source?.plain ?? null;
  if (attributes === null || source === null || text === null) return {};
  const develop = attributes.get("develop");
  const one = develop?.plain ?? null;
  const names =
    develop?.node.kind === "list" ? develop.list()?.flatMap(({ plain }) => plain ?? []) : null;
  const named = one === null ? (names ?? null) : [one];
  return { mirror: { source: source.fact(text), develop: (develop ?? source).fact(named) } };
}
