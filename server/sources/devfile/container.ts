import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { Endpoint } from "../../protocol/service.ts";
import type { SourceService } from "../../protocol/service.ts";
import { supervisorConfigVariable, supervisorPort } from "../../protocol/supervisor.ts";
import { parseBytes, parseCores } from "../quantity.ts";
import { sourceRoot } from "../source-root.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { checkKeys, containerKeys, endpointKeys, envKeys, volumeMountKeys } from "./keys.ts";
import type { ContainerComponent, DevfileContext } from "./model.ts";
import { readArguments, readChoice, readMountPath, readName, readQuantity } from "./values.ts";

interface Component {
  readonly name: { readonly text: string; readonly at: Cursor };
  readonly self: MapCursor;
}

/** Reads a container component; null, and reported, without an image. */
export function readContainer(
  component: Component,
  context: DevfileContext,
): ContainerComponent | null {
  const { name, self } = component;
  checkKeys(self, containerKeys, context.version);
  leaveOut(
    component,
    { map: self, key: "annotation", of: `component ${quote(name.text)}` },
    context,
  );
  const endpoints = readEndpoints(component, context);
  const mounts = readMounts(component, context);
  const image = readImage(self);
  const dedicatedPod = fact(self, "dedicatedPod", (cursor) => cursor?.boolean() ?? false);
  const service = {
    name: name.at.fact(name.text),
    command: readArguments(self.get("command"), self),
    args: readArguments(self.get("args"), self),
    ...readLimits(self),
    user: known(null, self.where),
    readOnlyRoot: known(false, self.where),
    sourcePath: readSourcePath(self, dedicatedPod.known && dedicatedPod.value),
    dedicatedPod,
    env: readEnv(self, context),
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

function leaveOut(
  component: Component,
  part: { map: MapCursor; key: string; of: string },
  context: DevfileContext,
): void {
  const cursor = part.map.get(part.key);
  if (cursor === null) return;
  cursor.map();
  context.leftOut.push({
    what: `${part.key} of ${part.of}`,
    why: "Annotations and attributes are for other tools: Oneloop knows none of them.",
    where: (part.map.key(part.key) ?? component.name.at).where,
  });
}

function readImage(self: MapCursor): Fact<string> | null {
  const cursor = self.required("image", "node:20");
  const text = cursor?.string() ?? null;
  if (cursor === null || text === null) return null;
  // A dash in front would be an option to a program that is given the name; the engine judges the rest.
  if (!/^[^\s\p{Cc}-][^\s\p{Cc}]{0,499}$/u.test(text) && !text.includes("{{")) {
    cursor.error("bad-image", `${quote(text)} is no image: write one such as node:20.`);
    return null;
  }
  return cursor.fact(text);
}

function readLimits(self: MapCursor) {
  const bytes = { parse: parseBytes, example: "512Mi" };
  const cores = { parse: parseCores, example: "500m" };
  const read = (key: string, as: typeof bytes) =>
    readQuantity({ cursor: self.get(key), absentAt: self }, as);
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
function readSourcePath(self: MapCursor, dedicatedPod: boolean): SourceService["sourcePath"] {
  const mapping = self.get("sourceMapping");
  const path = mapping === null ? sourceRoot : readMountPath(mapping);
  const mounts = self.get("mountSources");
  const mounted = mounts?.boolean() ?? !dedicatedPod;
  return known(mounted ? path : null, (mapping ?? mounts ?? self).where);
}

/** Names that Kubernetes takes for environment variables. */
const envName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const reservedEnv = ["PROJECTS_ROOT", "PROJECT_SOURCE", supervisorConfigVariable];

function readEnv(self: MapCursor, { version }: DevfileContext): SourceService["env"] {
  const env = new Map<string, SourceService["env"][string]>();
  for (const item of self.list("env")) {
    const map = item.map();
    if (map === null) continue;
    checkKeys(map, envKeys, version);
    const nameAt = map.required("name", "LOG_LEVEL");
    const name = nameAt?.string() ?? null;
    // Absent and empty differ here: the empty text must be written as "".
    const valueAt = map.required("value", '"info"');
    const value = valueAt?.string() ?? null;
    if (nameAt === null || name === null) continue;
    if (!envName.test(name) || name === "__proto__") {
      nameAt.error(
        "bad-env-name",
        `${quote(name)} is no name of a variable: use A-Z, 0-9 and "_".`,
      );
    } else if (reservedEnv.includes(name)) {
      nameAt.error("reserved-env", `${name} is set by Oneloop: remove it, or use another name.`);
    } else if (valueAt !== null && value !== null) {
      if (env.has(name)) {
        nameAt.warning("duplicate-env", `${name} is set twice, and this one counts: remove one.`);
      }
      env.set(name, valueAt.fact({ kind: "literal", value }));
    }
  }
  return Object.fromEntries(env);
}

function readEndpoints(component: Component, context: DevfileContext) {
  const { version } = context;
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
    const fields = {
      exposure: exposure && readChoice(exposure, Endpoint.shape.exposure.options),
      protocol: protocol && readChoice(protocol, Endpoint.shape.protocol.options),
      secure: map.get("secure")?.boolean(),
      path: map.get("path")?.string(),
    };
    if (name === null || port === null || targetPort === null) return [];
    const of = `endpoint ${quote(name.text)}`;
    for (const key of ["attributes", "annotation"]) leaveOut(component, { map, key, of }, context);
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

function readMounts({ self }: Component, { version }: DevfileContext) {
  return self.list("volumeMounts").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    checkKeys(map, volumeMountKeys, version);
    const name = readName(map, { example: "data", maxChars: 63 });
    const pathAt = map.get("path");
    const path = pathAt === null ? null : readMountPath(pathAt);
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
