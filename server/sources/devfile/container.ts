import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { parseImageReference } from "../../protocol/image-reference.ts";
import { Endpoint, unsaidService } from "../../protocol/service.ts";
import type { EnvValue, SourceService } from "../../protocol/service.ts";
import { supervisorPort } from "../../protocol/supervisor.ts";
import { parseBytes, parseCores } from "../quantity.ts";
import { sourceRoot } from "../source-root.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readEnv } from "./env.ts";
import { checkKeys, containerKeys, endpointKeys, volumeMountKeys } from "./keys.ts";
import type { ContainerComponent, DevfileContext, Named } from "./model.ts";
import {
  leaveOutKey,
  readArguments,
  readChoice,
  readMountPath,
  readName,
  readQuantity,
} from "./values.ts";
import type { Variables } from "./variables.ts";

interface Component {
  readonly name: Named;
  readonly self: MapCursor;
}

/** Reads a container component; null, and reported, without an image. */
export function readContainer(
  component: Component,
  context: DevfileContext,
): ContainerComponent | null {
  const { name, self } = component;
  checkKeys(self, containerKeys, context.version);
  leaveOutKey(self, { key: "annotation", of: `component ${quote(name.text)}` }, context);
  const endpoints = readEndpoints(component, context);
  const mounts = readMounts(component, context);
  const { variables } = context;
  const image = readImage(self, variables);
  const dedicatedPod = fact(self, "dedicatedPod", (cursor) => cursor?.boolean() ?? false);
  const service = {
    ...unsaidService(self.where),
    name: name.at.fact(name.text),
    command: readArguments({ cursor: self.get("command"), absentAt: self }, variables),
    args: readArguments({ cursor: self.get("args"), absentAt: self }, variables),
    ...readLimits(self, variables),
    sourcePath: readSourcePath(self, {
      variables,
      dedicatedPod: dedicatedPod.known && dedicatedPod.value,
    }),
    dedicatedPod,
    env: literals(readEnv(self, context)),
    endpoints: endpoints.map(({ fact }) => fact),
    mounts: mounts.map(({ fact }) => fact),
  };
  checkMountPaths(service, mounts);
  if (image === null) return null;
  return { name: name.at, service: { ...service, image }, endpoints, mounts };
}

/** A fact at its own place, or, where the default holds, at the place of the container. */
function fact<Value>(
  map: MapCursor,
  key: string,
  read: (cursor: Cursor | null) => Value,
): Fact<Value> {
  const cursor = map.get(key);
  return known(read(cursor), (cursor ?? map).where);
}

function literals(env: ReadonlyMap<string, Fact<string>>): SourceService["env"] {
  const entries = Array.from(env, ([name, fact]) => {
    const value: Fact<EnvValue> = fact.known
      ? { ...fact, value: { kind: "literal", value: fact.value } }
      : fact;
    return [name, value] as const;
  });
  return Object.fromEntries(entries);
}

function readImage(self: MapCursor, variables: Variables): Fact<string> | null {
  const cursor = self.required("image", "node:20");
  const text = cursor === null ? null : variables.text(cursor);
  if (cursor === null || text === null) return null;
  // An engine puts it into the path of a URL: what is no reference would be another question there.
  if (parseImageReference(text) === null) {
    cursor.error(
      "bad-image",
      `${quote(text)} is no image: write one such as node:20 or ghcr.io/acme/tools:1.2.`,
    );
    return null;
  }
  return cursor.fact(text);
}

function readLimits(self: MapCursor, variables: Variables) {
  const bytes = { parse: parseBytes, example: "512Mi" };
  const cores = { parse: parseCores, example: "500m" };
  const read = (key: string, as: typeof bytes) =>
    readQuantity({ cursor: self.get(key), absentAt: self }, as, variables);
  const limits = {
    memoryLimitBytes: read("memoryLimit", bytes),
    memoryRequestBytes: read("memoryRequest", bytes),
    cpuLimitCores: read("cpuLimit", cores),
    cpuRequestCores: read("cpuRequest", cores),
  };
  checkRequest(self.get("memoryRequest"), limits.memoryRequestBytes, limits.memoryLimitBytes);
  checkRequest(self.get("cpuRequest"), limits.cpuRequestCores, limits.cpuLimitCores);
  return limits;
}

function checkRequest(
  cursor: Cursor | null,
  request: Fact<number | null>,
  limit: Fact<number | null>,
): void {
  if (!request.known || !limit.known || request.value === null || limit.value === null) return;
  if (request.value <= limit.value) return;
  cursor?.error(
    "request-over-limit",
    "The request is above the limit: lower it, or raise the limit.",
  );
}

/** The specification: true by default, but false where the component has a pod of its own. */
function readSourcePath(
  self: MapCursor,
  { variables, dedicatedPod }: { variables: Variables; dedicatedPod: boolean },
): SourceService["sourcePath"] {
  const mapping = self.get("sourceMapping");
  const path = mapping === null ? sourceRoot : readMountPath(mapping, variables);
  const mounts = self.get("mountSources");
  const mounted = mounts?.boolean() ?? !dedicatedPod;
  return known(mounted ? path : null, (mapping ?? mounts ?? self).where);
}

function readEndpoints(component: Component, context: DevfileContext) {
  const { version, variables } = context;
  const maxNameChars = version[1] >= 2 ? 15 : 63;
  return component.self.list("endpoints").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    checkKeys(map, endpointKeys, version);
    const name = readName(map, { example: "web", maxChars: maxNameChars });
    const port = map.required("targetPort", "3000");
    const targetPort = port === null ? null : readPort(port);
    const exposure = map.get("exposure");
    const protocol = map.get("protocol");
    const path = map.get("path");
    const fields = {
      exposure: exposure && readChoice(exposure, Endpoint.shape.exposure.options),
      protocol: protocol && readChoice(protocol, Endpoint.shape.protocol.options),
      secure: map.get("secure")?.boolean(),
      path: path && variables.text(path),
    };
    if (name === null || port === null || targetPort === null) return [];
    const of = `endpoint ${quote(name.text)}`;
    leaveOutKey(map, { key: "attributes", of }, context);
    leaveOutKey(map, { key: "annotation", of }, context);
    const endpoint: Endpoint = {
      name: name.text,
      targetPort,
      exposure: fields.exposure ?? "public",
      protocol: fields.protocol ?? "http",
      secure: fields.secure ?? false,
      path: fields.path ?? null,
    };
    return [{ name: name.at, port, fact: map.self.fact(endpoint) }];
  });
}

function readPort(cursor: Cursor): number | null {
  const port = cursor.integer();
  if (port === null) return null;
  if (port < 1 || port > 65535) {
    cursor.error("bad-port", `${port} is no port: use one from 1 to 65535.`);
    return null;
  }
  if (port === supervisorPort) {
    cursor.error("reserved-port", `Port ${port} is Oneloop's own in a workspace: use another.`);
    return null;
  }
  return port;
}

function readMounts({ self }: Component, { version, variables }: DevfileContext) {
  return self.list("volumeMounts").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    checkKeys(map, volumeMountKeys, version);
    const name = readName(map, { example: "data" });
    const pathAt = map.get("path");
    const path = pathAt === null ? null : readMountPath(pathAt, variables);
    if (name === null || (pathAt !== null && path === null)) return [];
    const mount = { volume: name.text, path: path ?? `/${name.text}` };
    const at = pathAt ?? name.at;
    return [{ name: name.at, volume: name.text, at, fact: map.self.fact(mount) }];
  });
}

/** An engine refuses two mounts at one place. */
function checkMountPaths(
  { sourcePath }: Pick<SourceService, "sourcePath">,
  mounts: ReturnType<typeof readMounts>,
): void {
  const source = sourcePath.known ? sourcePath.value : null;
  const taken = new Map(source === null ? [] : [[source, "the source"]]);
  for (const { at, volume, fact } of mounts) {
    const path = fact.known ? fact.value.path : "";
    const other = taken.get(path);
    if (other !== undefined) {
      at.error("duplicate-path", `${quote(path)} is the place of ${other}: use another path.`);
    }
    taken.set(path, `volume ${quote(volume)}`);
  }
}
