import { quote } from "../yaml/source-text.ts";
import { checkEndpoints } from "./endpoints.ts";
import type { Components } from "./model.ts";

/** The rules of the specification that hold between components; reports what breaks them. */
export function checkAcross(components: Components): void {
  checkNames(components);
  checkVolumes(components);
  checkEndpoints(components.endpoints);
  checkAnnotations(components);
}

function checkNames({ names }: Components): void {
  const seen = new Set<string>();
  for (const { text, at } of names) {
    if (seen.has(text)) {
      at.error(
        "duplicate-component",
        `Another component is named ${quote(text)}: rename this one.`,
      );
    }
    seen.add(text);
  }
}

function checkVolumes({ kinds, written, containers, elsewhere }: Components): void {
  for (const { name, volume } of containers.flatMap(({ mounts }) => mounts)) {
    const kind = kinds.get(volume);
    // What has a mistake of its own may well be a volume.
    if (kind === "volume" || kind === null) continue;
    if (kind === undefined && (written.has(volume) || elsewhere !== null)) continue;
    const why = kind === undefined ? "does not exist" : "is no volume";
    name.error(
      "unknown-volume",
      `The component ${quote(volume)} ${why}: add a component of this name with \`volume: {}\`.`,
    );
  }
}

/**
 * Annotations of containers that share a pod go to one deployment and one service: of a key, all must
 * say the same (devfile/api, `ValidateComponents`, which looks where `dedicatedPod` is written).
 */
function checkAnnotations({ containers }: Components): void {
  const said = new Map<string, string>();
  for (const { self } of containers) {
    if (self.get("dedicatedPod")?.boolean() !== false) continue;
    const annotation = self.get("annotation")?.map() ?? null;
    for (const on of ["deployment", "service"]) {
      for (const { name, key, value } of annotation?.get(on)?.map()?.entries ?? []) {
        const text = value.plain;
        const first = said.get(`${on} ${name}`);
        if (text === null) continue;
        if (first !== undefined && first !== text) {
          key.error(
            "annotation-conflict",
            `Another container of this pod gives ${quote(name)} another value: give both the same.`,
          );
        }
        said.set(`${on} ${name}`, first ?? text);
      }
    }
  }
}
