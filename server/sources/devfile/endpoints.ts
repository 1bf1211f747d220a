import { Endpoint } from "../../protocol/service.ts";
import { isSupervisorPort } from "../../protocol/supervisor.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import type { ComponentEndpoint, DevfileContext, Named } from "./model.ts";
import { leaveOutKey, readChoice, readName } from "./values.ts";

/** The `endpoints` of a container, or of what a Kubernetes component makes. */
export function readEndpoints(
  { name: of, self }: { readonly name: Named; readonly self: MapCursor },
  context: DevfileContext,
): ComponentEndpoint[] {
  return self.list("endpoints").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    const name = readName(map);
    const port = map.get("targetPort");
    const targetPort = port === null ? null : readPort(port);
    const exposure = map.get("exposure");
    const protocol = map.get("protocol");
    const fields = {
      exposure: exposure && readChoice(exposure, Endpoint.shape.exposure.options),
      protocol: protocol && readChoice(protocol, Endpoint.shape.protocol.options),
      secure: map.get("secure")?.boolean(),
      path: map.get("path")?.string(),
    };
    if (name === null || port === null || targetPort === null) return [];
    const inside = `endpoint ${quote(name.text)}`;
    leaveOutKey(map, { key: "attributes", of: inside }, context);
    leaveOutKey(map, { key: "annotation", of: inside }, context);
    const endpoint: Endpoint = {
      name: name.text,
      targetPort,
      exposure: fields.exposure ?? "public",
      protocol: fields.protocol ?? "http",
      secure: fields.secure ?? false,
      path: fields.path ?? null,
    };
    return [{ of: of.at, name: name.at, port, fact: map.self.fact(endpoint) }];
  });
}

function readPort(cursor: Cursor): number | null {
  const port = cursor.integer();
  if (port === null) return null;
  if (port < 1 || port > 65535) {
    cursor.error("bad-port", `${port} is no port: use one from 1 to 65535.`);
    return null;
  }
  if (isSupervisorPort(port)) {
    cursor.error("reserved-port", `Port ${port} is Oneloop's own in a workspace: use another.`);
    return null;
  }
  return port;
}

/**
 * Endpoint names are unique in a devfile, and a target port belongs to one component; within that,
 * several endpoints may show it (devfile/api, `validateEndpoints`).
 */
export function checkEndpoints(endpoints: readonly ComponentEndpoint[]): void {
  const names = new Set<string>();
  const ports = new Map<number, Cursor>();
  for (const { of, name: at, port, fact } of endpoints) {
    if (!fact.known) continue;
    const { name, targetPort } = fact.value;
    if (names.has(name)) {
      at.error("duplicate-endpoint", `Another endpoint is named ${quote(name)}: rename this one.`);
    }
    names.add(name);
    const owner = ports.get(targetPort) ?? of;
    if (owner.node !== of.node) {
      port.error(
        "duplicate-port",
        `Component ${quote(owner.plain ?? "")} has port ${targetPort} already, and containers share one network: use another port.`,
      );
    }
    ports.set(targetPort, owner);
  }
}
