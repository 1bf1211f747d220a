import { known } from "../../protocol/fact.ts";
import type { SourceManifest } from "../../protocol/source-model.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import { objectsIn } from "./manifest-text.ts";
import type { ComponentEndpoint, DevfileContext, Named } from "./model.ts";
import { checkUri, readKind } from "./values.ts";

/** Reads a `kubernetes` or `openshift` component; null where its shape is wrong. */
export function readManifest(
  { name, self }: { name: Named; self: MapCursor },
  kind: SourceManifest["kind"],
  { endpoints, context }: { endpoints: readonly ComponentEndpoint[]; context: DevfileContext },
): SourceManifest | null {
  const source = readKind(self, ["uri", "inlined"]);
  const at = source === null ? null : self.get(source);
  const text = at?.string() ?? null;
  if (source === null || at === null || text === null) return null;
  if (source === "uri") checkUri(at);
  const byDefault = self.get("deployByDefault");
  return {
    name: name.text,
    kind,
    content: at.fact(source === "uri" ? { kind: source, uri: text } : { kind: source, text }),
    objects: source === "uri" ? context.objectsBehind(at, text) : objectsIn(at, text),
    endpoints: endpoints.map(({ fact }) => fact),
    deployByDefault: known(byDefault?.boolean() ?? null, (byDefault ?? self).where),
    where: name.at.where,
  };
}
