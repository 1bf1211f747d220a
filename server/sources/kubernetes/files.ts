import { known } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import type { ConfigFile } from "../../protocol/service.ts";
import type { Cluster } from "./cluster.ts";
import { dataOf } from "./env.ts";
import type { ApiObject } from "./object.ts";
import type { Value } from "./value.ts";

/** A file of a volume, before it is known where the volume is mounted. */
export interface VolumeFile {
  /** Relative to the volume. */
  readonly path: string;
  readonly mode: number | null;
  readonly content: ConfigFile["content"];
  readonly where: Place;
}

interface Context {
  readonly object: ApiObject;
  readonly cluster: Cluster;
}

/** The files of a configMap, secret, downwardAPI or projected volume; null for other kinds. */
export function readVolumeFiles(volume: Value, context: Context): VolumeFile[] | null {
  const single = ["configMap", "secret", "downwardAPI"].find((kind) => volume.get(kind) !== null);
  const projected = volume.get("projected");
  const [source] = single === undefined ? [projected] : [volume.get(single)];
  if (source === null || source === undefined) return null;
  const mode = source.int("defaultMode");
  if (single !== undefined) return readSource({ kind: single, source, mode }, context);
  return source
    .items("sources")
    .flatMap((item) =>
      item.entries.flatMap(({ name, value }) =>
        readSource({ kind: name, source: value, mode }, context),
      ),
    );
}

interface Projection {
  readonly kind: string;
  readonly source: Value;
  readonly mode: number | null;
}

function readSource({ kind, source, mode }: Projection, context: Context): VolumeFile[] {
  switch (kind) {
    case "configMap":
      return readMap({ kind: "ConfigMap", source, mode }, context);
    case "secret":
      return readMap({ kind: "Secret", source, mode }, context);
    case "downwardAPI":
      return source.items("items").map((item) => {
        const field = item.at("fieldRef")?.text("fieldPath") ?? "resources";
        const why = `It is the pod's own ${field}, which is known only in the cluster.`;
        return unknownFile(item, { path: item.text("path") ?? "", why });
      });
    default: {
      const why = "Only a cluster makes such a file.";
      context.object.leave(source, why);
      return [unknownFile(source, { path: source.text("path") ?? "", why })];
    }
  }
}

function readMap({ kind, source, mode }: Projection, { object, cluster }: Context): VolumeFile[] {
  const name = source.text("name") ?? source.text("secretName") ?? "";
  const map = cluster.find(kind, object, name);
  const items = source.get("items") === null ? null : source.items("items");
  if (items !== null) {
    return items.map((item) => {
      const key = item.text("key") ?? "";
      const file = { path: item.text("path") ?? "", mode: item.int("mode") ?? mode };
      const content = contentOf({ kind, name, key }, map);
      return { ...file, content: content.value, where: content.where ?? item.where };
    });
  }
  if (map === null) {
    if (source.bool("optional") === true) return [];
    return [unknownFile(source, { path: "", why: `${kind} ${name} is not in these files.` })];
  }
  const keys = dataOf(map).map(({ key }) => key);
  keys.push(...(map.root.get("binaryData")?.entries ?? []).map((entry) => entry.name));
  return [...new Set(keys)].map((key) => {
    const content = contentOf({ kind, name, key }, map);
    return { path: key, mode, content: content.value, where: content.where ?? source.where };
  });
}

function contentOf(
  { kind, name, key }: { kind: string; name: string; key: string },
  map: ApiObject | null,
): { value: ConfigFile["content"]; where: Place | null } {
  if (kind === "Secret") return { value: { kind: "secretRef", secret: name, key }, where: null };
  if (map === null) {
    const why = `ConfigMap ${name} is not in these files.`;
    return { value: { kind: "unknown", why }, where: null };
  }
  const text = map.root.get("data")?.get(key) ?? null;
  if (text !== null) {
    return { value: { kind: "literal", text: String(text.scalar) }, where: text.where };
  }
  const binary = map.root.get("binaryData")?.get(key) ?? null;
  const decoded = binary === null ? null : decode(binary.raw);
  if (binary !== null && decoded !== null) {
    return { value: { kind: "literal", text: decoded }, where: binary.where };
  }
  const why = binary === null ? `ConfigMap ${name} has no such key.` : "It is no UTF-8 text.";
  return { value: { kind: "unknown", why }, where: binary?.where ?? null };
}

function decode(base64: string): string | null {
  const bytes = Buffer.from(base64, "base64");
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) && !text.includes("\0") ? text : null;
}

function unknownFile(at: Value, { path, why }: { path: string; why: string }): VolumeFile {
  return { path, mode: null, content: { kind: "unknown", why }, where: at.where };
}

/**
 * The files that a mount brings: below its path, or with `subPath` those of that file or folder.
 * Paths that would lead out of the mount are left out, as the API refuses them.
 */
export function placeFiles(
  files: readonly VolumeFile[],
  { mountPath, subPath }: { mountPath: string; subPath: string },
): Fact<ConfigFile>[] {
  return files.flatMap(({ path, mode, content, where }) => {
    const below = belowMount(path, subPath.replace(/\/+$/, ""));
    if (below === null || below.split("/").includes("..")) return [];
    const whole = (below === "" ? mountPath : `${mountPath}/${below}`).replaceAll(/\/{2,}/g, "/");
    return [known({ path: whole, mode, content }, where)];
  });
}

function belowMount(path: string, subPath: string): string | null {
  if (subPath === "" || path === subPath) return subPath === "" ? path : "";
  // A map that is not known may have that file.
  if (path === "") return "";
  return path.startsWith(`${subPath}/`) ? path.slice(subPath.length + 1) : null;
}
