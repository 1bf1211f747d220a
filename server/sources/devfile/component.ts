import { parseBytes } from "../quantity.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readContainer } from "./container.ts";
import { readEndpoints } from "./endpoints.ts";
import { readImage } from "./image.ts";
import { componentKinds } from "./keys.ts";
import { readManifest } from "./manifest.ts";
import type { ComponentKind, Components, DevfileContext, Named, VolumeComponent } from "./model.ts";
import { leaveOutKey, readKind, readName, readQuantity } from "./values.ts";

/** Reads the components; what is not run of them goes to `leftOut`. */
export function readComponents(
  top: MapCursor,
  elsewhere: string | null,
  context: DevfileContext,
): Components {
  const components: Components = {
    names: [],
    kinds: new Map(),
    written: new Set(),
    elsewhere,
    containers: [],
    volumes: [],
    images: [],
    manifests: [],
    endpoints: [],
  };
  for (const item of top.list("components")) {
    const map = item.map();
    if (map === null) continue;
    components.written.add(map.get("name")?.plain ?? "");
    const name = readName(map);
    const kind = readKind(map, componentKinds);
    if (name !== null) {
      components.names.push({ ...name, kind });
      if (!components.kinds.has(name.text)) components.kinds.set(name.text, kind);
    }
    // A bad name hides no other mistake.
    const named = name ?? { text: "", at: item };
    if (kind !== null) readOne({ map, name: named, kind }, components, context);
  }
  return components;
}

interface Component {
  readonly map: MapCursor;
  readonly name: Named;
  readonly kind: ComponentKind;
}

function readOne(component: Component, components: Components, context: DevfileContext): void {
  const { map, name, kind } = component;
  leaveOutKey(map, { key: "attributes", of: `component ${quote(name.text)}` }, context);
  const self = map.body(kind);
  if (self === null) return;
  switch (kind) {
    case "container": {
      const endpoints = readEndpoints({ name, self }, context);
      const container = readContainer({ name, self }, endpoints, context);
      components.endpoints.push(...endpoints);
      if (container !== null) components.containers.push(container);
      return;
    }
    case "volume":
      components.volumes.push(readVolume({ name, self }));
      return;
    case "image": {
      const image = readImage({ name, self });
      if (image !== null) components.images.push(image);
      return;
    }
    case "kubernetes":
    case "openshift": {
      const endpoints = readEndpoints({ name, self }, context);
      const manifest = readManifest({ name, self }, kind, { endpoints, context });
      components.endpoints.push(...endpoints);
      if (manifest !== null) components.manifests.push(manifest);
      return;
    }
    case "custom":
      leaveOut(component, "Only the tool that it is made for knows what it means.", context);
      return;
    case "plugin":
      // What became of it was said where it was to be read.
      return;
  }
}

function leaveOut({ name, kind }: Component, why: string, { leftOut }: DevfileContext): void {
  leftOut.push({ what: `component ${quote(name.text)} (${kind})`, why, where: name.at.where });
}

function readVolume({ name, self }: { name: Named; self: MapCursor }): VolumeComponent {
  const ephemeral = self.get("ephemeral");
  return {
    name: name.at,
    volume: {
      name: name.at.fact(name.text),
      sizeBytes: readQuantity(
        { cursor: self.get("size"), absentAt: name.at },
        { parse: parseBytes, example: "1Gi" },
      ),
      ephemeral: (ephemeral ?? name.at).fact(ephemeral?.boolean() ?? false),
    },
  };
}
