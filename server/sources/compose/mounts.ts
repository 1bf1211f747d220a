import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { HostAccess, SourceService, VolumeMount } from "../../protocol/service.ts";
import { quote } from "../yaml/source-text.ts";
import { bindKeys, mountImageKeys, mountKeys, mountTmpfsKeys, mountVolumeKeys } from "./keys.ts";
import { textOf, whyUnset } from "./part.ts";
import type { Mark, Part } from "./part.ts";
import { resolvePath } from "./paths.ts";
import { referredTo } from "./project.ts";
import type { Project } from "./project.ts";
import { Section } from "./section.ts";
import { anyText, bytes, truth, word } from "./values.ts";
import { isPath, splitVolume } from "./volume-text.ts";
import { readVolume } from "./volumes.ts";

type Mounts = Pick<SourceService, "mounts" | "files" | "tmpfs" | "hostAccess">;

interface Mount {
  readonly mark: Mark;
  readonly type: "bind" | "volume" | "tmpfs";
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
  readonly subPath: string | null;
  readonly sizeBytes: number | null;
}

/** The sockets of an engine: whoever has one is root on the machine. */
const engineSockets = ["/var/run/docker.sock", "/run/docker.sock"];

/** `volumes` and `tmpfs` of a service: volumes, files of the repository, memory, and the machine's. */
export function readMounts(
  { name, section: service }: { name: string; section: Section },
  project: Project,
): Mounts {
  const mounts: Mounts = { mounts: [], files: [], tmpfs: [], hostAccess: [] };
  for (const item of service.items("volumes")) {
    const mount = item.kind === "map" ? readLong(service, item) : readShort(service, item);
    if (mount === null) continue;
    if ("known" in mount) mounts.mounts.push(mount);
    else addMount(mounts, { mount, name, service }, project);
  }
  for (const item of service.items("tmpfs")) addTmpfs(mounts, service, item);
  return mounts;
}

function addMount(
  mounts: Mounts,
  { mount, name, service }: { mount: Mount; name: string; service: Section },
  project: Project,
): void {
  const { mark, type, target, source } = mount;
  if (type === "tmpfs") {
    mounts.tmpfs.push(known({ path: target, sizeBytes: mount.sizeBytes || null }, mark.where));
  } else if (type === "bind") {
    bind(mounts, { path: source ?? "", mount, folder: mark.origin.folder });
  } else if (source === null) {
    let volume = `${name}${target.replaceAll(/[^A-Za-z0-9_.-]+/g, "-")}`;
    while (project.volumes.has(volume)) volume += "-unnamed";
    project.mounted.set(volume, {
      name: known(volume, mark.where),
      sizeBytes: known(null, mark.where),
      // Nothing leads back to it once its container is gone.
      ephemeral: known(true, mark.where),
    });
    mounts.mounts.push(known(volumeMount(volume, mount), mark.where));
  } else {
    const resource = referredTo(project, { mark, name: source, one: "volume" }, project.volumes);
    if (resource === undefined) return;
    const volume = readVolume(source, resource);
    project.used.add(source);
    if (volume.bind !== null) {
      bind(mounts, { path: volume.bind, mount, folder: resource.key.origin.folder });
      return;
    }
    project.mounted.set(source, volume.volume);
    mounts.mounts.push(known(volumeMount(source, mount), mark.where));
  }
  if (mount.subPath !== null && type !== "volume") service.listAt(mark, "subpath", "It has none.");
}

function volumeMount(volume: string, { target, readOnly, subPath }: Mount): VolumeMount {
  return {
    volume,
    path: target,
    ...(readOnly ? { readOnly } : {}),
    ...(subPath === null ? {} : { subPath }),
  };
}

/** A folder or file of the repository, or one of the machine. */
function bind(
  { files, hostAccess }: Mounts,
  { path, mount, folder }: { path: string; mount: Mount; folder: string },
): void {
  const resolved = resolvePath(folder, path);
  const { where } = mount.mark;
  if ("path" in resolved) {
    const content = { kind: "repository", path: resolved.path } as const;
    files.push(known({ path: mount.target, mode: null, content }, where));
    return;
  }
  const what = engineSockets.includes(path) ? "docker-socket" : "host-path";
  const access: HostAccess = { what, detail: path };
  hostAccess.push(known(access, where));
}

const types = word({
  bind: "bind",
  volume: "volume",
  tmpfs: "tmpfs",
  npipe: "npipe",
  cluster: "cluster",
  image: "image",
} as const);

function readLong(
  service: Section,
  item: Part & { kind: "map" },
): Mount | Fact<VolumeMount> | null {
  const of = `mount of ${service.of}`;
  const section = new Section(item, of, service.leftOut).check(mountKeys);
  section.section("bind", bindKeys);
  section.section("image", mountImageKeys);
  const volume = section.section("volume", mountVolumeKeys);
  const tmpfs = section.section("tmpfs", mountTmpfsKeys);
  const typePart = section.get("type");
  const type = section.value("type", types);
  if (typePart === null || type === null) {
    if (typePart === null) item.mark.error("missing-key", "The key `type` is missing: `bind`?");
    return null;
  }
  const targetPart = section.get("target");
  if (targetPart === null) {
    item.mark.error("missing-key", "The key `target` is missing: name the path in the container.");
    return null;
  }
  const why = [targetPart, section.get("source")]
    .map((part) => (part?.kind === "scalar" ? whyUnset(part) : null))
    .find((each) => each !== null);
  if (why !== undefined && why !== null) return unknown(why, item.mark.where);
  if (type === "npipe" || type === "cluster" || type === "image") {
    service.listAt(typePart.mark, of, `A mount of kind ${type} is not supported.`);
    return null;
  }
  const source = section.value("source", anyText);
  const target = checkedTarget(textOf(targetPart), targetPart.mark);
  if (type === "bind" && source === null) {
    item.mark.error("missing-key", "The key `source` is missing: name the path of the repository.");
    return null;
  }
  if (target === null) return null;
  return {
    mark: item.mark,
    type,
    source,
    target,
    readOnly: section.value("read_only", truth) ?? false,
    subPath: volume?.value("subpath", anyText) ?? null,
    sizeBytes: tmpfs?.value("size", bytes) ?? null,
  };
}

/** Options that say who may have the files, or how the machine shares them. */
const passedOver = /^(?:rw|z|Z|cached|delegated|consistent|nocopy|r?(?:private|shared|slave))$/;

function readShort(service: Section, item: Part): Mount | Fact<VolumeMount> | null {
  const text = textOf(item);
  if (text === null) return null;
  const why = item.kind === "scalar" ? whyUnset(item) : null;
  if (why !== null) return unknown(why, item.mark.where);
  const split = splitVolume(text);
  if (split === null) {
    const message = `${quote(text)} is no mount: write one such as data:/var/lib/data.`;
    item.mark.error("bad-mount", message);
    return null;
  }
  for (const option of split.options) {
    if (option === "ro" || passedOver.test(option)) continue;
    service.listAt(item.mark, `option ${quote(option)} of a mount`, "Oneloop does not know it.");
  }
  const { source } = split;
  const target = checkedTarget(split.target, item.mark);
  if (target === null) return null;
  return {
    mark: item.mark,
    type: source !== null && isPath(source) ? "bind" : "volume",
    source,
    target,
    readOnly: split.options.includes("ro"),
    subPath: null,
    sizeBytes: null,
  };
}

/** An absolute path without a slash at its end. */
function checkedTarget(text: string | null, mark: Mark): string | null {
  if (text === null) return null;
  const segments = text.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (text.startsWith("/") && segments.length > 0 && !segments.includes("..")) {
    return `/${segments.join("/")}`;
  }
  const message = `Nothing can be mounted at ${quote(text)}: write an absolute path without "..".`;
  mark.error("bad-path", message);
  return null;
}

/** `/run:size=64m,mode=1777`. */
function addTmpfs({ tmpfs }: Mounts, service: Section, item: Part): void {
  const text = textOf(item);
  const why = item.kind === "scalar" ? whyUnset(item) : null;
  if (text === null) return;
  if (why !== null) {
    tmpfs.push(unknown(why, item.mark.where));
    return;
  }
  const [target = "", options = ""] = text.split(/:(.*)/s);
  const path = checkedTarget(target, item.mark);
  let sizeBytes: number | null = null;
  for (const option of options.split(",")) {
    if (option.startsWith("size=")) {
      sizeBytes = bytes.parse(option.slice("size=".length));
      if (sizeBytes === null) item.mark.error("bad-value", `${quote(option)} is no size.`);
    } else if (option !== "" && option !== "rw") {
      service.listAt(item.mark, `option ${quote(option)} of a tmpfs`, "Only its size is read.");
    }
  }
  if (path !== null) tmpfs.push(known({ path, sizeBytes: sizeBytes || null }, item.mark.where));
}
