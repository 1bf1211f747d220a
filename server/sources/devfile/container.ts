import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { parseImageReference } from "../../protocol/image-reference.ts";
import { unsaidService } from "../../protocol/service.ts";
import type { EnvValue, SourceService } from "../../protocol/service.ts";
import { parseBytes, parseCores } from "../quantity.ts";
import { sourceRoot } from "../source-root.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readEnv } from "./env.ts";
import type { ComponentEndpoint, ContainerComponent, DevfileContext, Named } from "./model.ts";
import { leaveOutKey, readArguments, readMountPath, readName, readQuantity } from "./values.ts";

interface Component {
  readonly name: Named;
  readonly self: MapCursor;
}

/** Reads a container component; null, and reported, without an image. */
export function readContainer(
  { name, self }: Component,
  endpoints: readonly ComponentEndpoint[],
  context: DevfileContext,
): ContainerComponent | null {
  leaveOutKey(self, { key: "annotation", of: `component ${quote(name.text)}` }, context);
  const mounts = readMounts(self);
  const image = readImage(self);
  const dedicatedPod = fact(self, "dedicatedPod", (cursor) => cursor?.boolean() ?? false);
  // Assigned and not spread: copies of so many fields cost half of the reading of a large devfile.
  const service = Object.assign(unsaidService(self.where), {
    name: name.at.fact(name.text),
    command: readArguments({ cursor: self.get("command"), absentAt: self }),
    args: readArguments({ cursor: self.get("args"), absentAt: self }),
    sourcePath: readSourcePath(self, dedicatedPod.known && dedicatedPod.value),
    dedicatedPod,
    env: literals(readEnv(self)),
    endpoints: endpoints.map(({ fact }) => fact),
    mounts: mounts.map(({ fact }) => fact),
  });
  Object.assign(service, readLimits(self));
  checkMountPaths(service, mounts);
  if (image === null) return null;
  return { name: name.at, self, service: Object.assign(service, { image }), mounts };
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

function readImage(self: MapCursor): Fact<string> | null {
  const cursor = self.get("image");
  const text = cursor?.string() ?? null;
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

function readMounts(self: MapCursor) {
  return self.list("volumeMounts").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    const name = readName(map);
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
