import { quote } from "../yaml/source-text.ts";
import type { Cursor } from "../yaml/cursor.ts";
import type { Components } from "./model.ts";

/** The rules of the specification that hold between components; reports what breaks them. */
export function checkAcross(components: Components): void {
  checkNames(components);
  checkVolumes(components);
  checkEndpoints(components);
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

function checkVolumes({ names, written, containers }: Components): void {
  const kinds = new Map(names.map(({ text, kind }) => [text, kind]));
  for (const { name, volume } of containers.flatMap(({ mounts }) => mounts)) {
    const kind = kinds.get(volume);
    // What has a mistake of its own may well be a volume.
    if (kind === "volume" || kind === null || (kind === undefined && written.has(volume))) continue;
    const why = kind === undefined ? "does not exist" : "is no volume";
    name.error(
      "unknown-volume",
      `The component ${quote(volume)} ${why}: add a component of this name with \`volume: {}\`.`,
    );
  }
}

/**
 * Endpoint names are unique in a devfile. Target ports are unique among the containers that share a
 * network namespace; within one container, several endpoints may show the same port.
 */
function checkEndpoints({ containers }: Components): void {
  const names = new Set<string>();
  const ports = new Map<number, Cursor>();
  for (const { name: container, service, endpoints } of containers) {
    const alone = service.dedicatedPod.known && service.dedicatedPod.value;
    service.endpoints.forEach((endpoint, at) => {
      const cursors = endpoints[at];
      if (!endpoint.known || cursors === undefined) return;
      const { name, targetPort } = endpoint.value;
      if (names.has(name)) {
        const advice = "rename this one";
        cursors.name.error(
          "duplicate-endpoint",
          `Another endpoint is named ${quote(name)}: ${advice}.`,
        );
      }
      names.add(name);
      if (alone) return;
      const owner = ports.get(targetPort) ?? container;
      if (owner !== container) {
        cursors.port.error(
          "duplicate-port",
          `Component ${quote(owner.plain ?? "")} has port ${targetPort} already, and containers share one network: use another port, or set dedicatedPod.`,
        );
      }
      ports.set(targetPort, owner);
    });
  }
}
