import { parseBytes } from "../quantity.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readContainer } from "./container.ts";
import { checkKeys, componentKeys, componentKinds, volumeKeys } from "./keys.ts";
import { readName, readQuantity } from "./values.ts";
import type { Components, DevfileContext, VolumeComponent } from "./model.ts";

/** Reads the components; those of other kinds than container and volume go to `leftOut`. */
export function readComponents(top: MapCursor, context: DevfileContext): Components {
  const components: Components = { names: [], containers: [], volumes: [] };
  for (const item of top.list("components")) {
    const map = item.map();
    if (map === null) continue;
    checkKeys(map, componentKeys, context.version);
    const name = readName(map, { example: "tools", maxChars: 63 });
    if (name !== null) components.names.push(name);
    const kind = readKind(map);
    if (name !== null && kind !== null) readOne({ map, name, kind }, components, context);
  }
  return components;
}

type Kind = keyof typeof componentKinds;

interface Named {
  readonly map: MapCursor;
  readonly name: { readonly text: string; readonly at: Cursor };
  readonly kind: Kind;
}

function readOne(component: Named, components: Components, context: DevfileContext): void {
  const { map, name, kind } = component;
  const attributes = map.get("attributes");
  if (attributes !== null) {
    attributes.map();
    context.leftOut.push({
      what: `attributes of component ${quote(name.text)}`,
      why: "Attributes are for other tools: Oneloop knows none of them.",
      where: (map.key("attributes") ?? attributes).where,
    });
  }
  // `volume:` and `volume: {}` say the same.
  const body = map.get(kind);
  const self = body?.map() ?? null;
  if (body !== null && self === null) return;
  switch (kind) {
    case "container": {
      const container = readContainer({ name, self: self ?? map }, context);
      if (container !== null) components.containers.push(container);
      return;
    }
    case "volume":
      components.volumes.push(readVolume({ name, self }, context));
      return;
    case "kubernetes":
    case "openshift":
    case "plugin":
    case "image":
    case "custom":
      context.leftOut.push({
        what: `component ${quote(name.text)} (${kind})`,
        why: `Components of kind ${kind} are not supported yet.`,
        where: name.at.where,
      });
  }
}

function readKind(map: MapCursor): Kind | null {
  const kinds = (Object.keys(componentKinds) as Kind[]).filter((kind) => map.key(kind) !== null);
  const [kind, second] = kinds;
  if (kind === undefined) {
    map.self.error(
      "no-component-kind",
      "This component says not what it is: add `container:` or `volume:` with its settings.",
    );
    return null;
  }
  if (second !== undefined) {
    map
      .key(second)
      ?.error(
        "two-component-kinds",
        `A component is one thing, not ${kind} and ${second}: split it.`,
      );
    return null;
  }
  return kind;
}

function readVolume(
  { name, self }: { name: Named["name"]; self: MapCursor | null },
  { version }: DevfileContext,
): VolumeComponent {
  if (self !== null) checkKeys(self, volumeKeys, version);
  const ephemeral = self?.get("ephemeral") ?? null;
  return {
    name: name.at,
    volume: {
      name: name.at.fact(name.text),
      sizeBytes: readQuantity(
        { cursor: self?.get("size") ?? null, absentAt: name.at },
        { parse: parseBytes, example: "1Gi" },
      ),
      ephemeral: (ephemeral ?? name.at).fact(ephemeral?.boolean() ?? false),
    },
  };
}
