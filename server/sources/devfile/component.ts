import { parseBytes } from "../quantity.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readContainer } from "./container.ts";
import { checkKeys, componentKeys, componentKinds, volumeKeys } from "./keys.ts";
import type { ComponentKind, Components, DevfileContext, Named, VolumeComponent } from "./model.ts";
import { leaveOutKey, readKind, readName, readQuantity } from "./values.ts";

/** Reads the components; those of other kinds than container and volume go to `leftOut`. */
export function readComponents(top: MapCursor, context: DevfileContext): Components {
  const components: Found = { names: [], written: new Set(), containers: [], volumes: [] };
  for (const item of top.list("components")) {
    const map = item.map();
    if (map === null) continue;
    checkKeys(map, componentKeys, context.version);
    components.written.add(map.get("name")?.plain ?? "");
    const name = readName(map, { example: "tools" });
    const kind = readKind<ComponentKind>(map, componentKinds, {
      one: "component",
      example: "`container:` or `volume:` with its settings",
    });
    if (name !== null) components.names.push({ ...name, kind });
    // A bad name hides no other mistake.
    const named = name ?? { text: "", at: item };
    if (kind !== null) readOne({ map, name: named, kind }, components, context);
  }
  return { ...components, elsewhere: elsewhere(top, components) };
}

type Found = Omit<Components, "elsewhere">;

function elsewhere(top: MapCursor, { names }: Found): string | null {
  if (top.get("parent") !== null) return "the parent, which may have it, is not read.";
  const plugin = names.find(({ kind }) => kind === "plugin");
  return plugin === undefined
    ? null
    : `the plugin of component ${quote(plugin.text)}, which may have it, is not read.`;
}

interface Component {
  readonly map: MapCursor;
  readonly name: Named;
  readonly kind: ComponentKind;
}

function readOne(component: Component, components: Found, context: DevfileContext): void {
  const { map, name, kind } = component;
  leaveOutKey(map, { key: "attributes", of: `component ${quote(name.text)}` }, context);
  const self = map.body(kind);
  if (self === null) return;
  switch (kind) {
    case "container": {
      const container = readContainer({ name, self }, context);
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

function readVolume(
  { name, self }: { name: Named; self: MapCursor },
  { version, variables }: DevfileContext,
): VolumeComponent {
  checkKeys(self, volumeKeys, version);
  const ephemeral = self.get("ephemeral");
  return {
    name: name.at,
    volume: {
      name: name.at.fact(name.text),
      sizeBytes: readQuantity(
        { cursor: self.get("size"), absentAt: name.at },
        { parse: parseBytes, example: "1Gi" },
        variables,
      ),
      ephemeral: (ephemeral ?? name.at).fact(ephemeral?.boolean() ?? false),
    },
  };
}
