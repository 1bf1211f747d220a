import { known, unknown } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import type { HostAccess, SourceService, VolumeMount } from "../../protocol/service.ts";
import type { SourceVolume } from "../../protocol/source-model.ts";
import { parseBytes } from "../quantity.ts";
import type { Cluster, Workload } from "./cluster.ts";
import { placeFiles, readVolumeFiles } from "./files.ts";
import { distantVolumes } from "./shapes-pod.ts";
import type { Value } from "./value.ts";

type Mounted = Pick<SourceService, "mounts" | "files" | "tmpfs" | "hostAccess">;

interface Context {
  readonly workload: Workload;
  readonly cluster: Cluster;
  /** The model's volumes, by their names. */
  readonly volumes: Map<string, SourceVolume>;
}

/** What a container sees of its pod's volumes. */
export function readMounts(container: Value, context: Context): Mounted {
  const mounted: Mounted = { mounts: [], files: [], tmpfs: [], hostAccess: [] };
  for (const mount of container.items("volumeMounts")) {
    if (mount.get("name") !== null && mount.get("mountPath") !== null) {
      addMount(mount, mounted, context);
    }
  }
  return mounted;
}

function addMount(mount: Value, mounted: Mounted, context: Context): void {
  const { workload, cluster } = context;
  const { object, pod } = workload;
  const name = mount.text("name") ?? "";
  const mountPath = mount.text("mountPath") ?? "";
  const subPath = mount.text("subPath") ?? "";
  const volume = pod.items("volumes").find((each) => each.text("name") === name);
  const claims = object.spec?.items("volumeClaimTemplates") ?? [];
  const template = claims.find((each) => each.get("metadata")?.text("name") === name);
  const readOnly = mount.bool("readOnly") === true;
  const add = (target: string): void => {
    const value: VolumeMount = {
      volume: target,
      path: mountPath,
      ...(readOnly ? { readOnly } : {}),
      ...(subPath === "" ? {} : { subPath }),
    };
    mounted.mounts.push(mount.fact(value));
  };
  if (template !== undefined) {
    add(addClaimTemplate(template, context));
  } else if (volume !== undefined) {
    const files = readVolumeFiles(volume, { object, cluster });
    const host = volume.get("hostPath");
    const memory = memoryOf(volume, context);
    if (files !== null) mounted.files.push(...placeFiles(files, { mountPath, subPath }));
    else if (host !== null) mounted.hostAccess.push(host.fact(hostPath(host)));
    else if (memory !== null)
      mounted.tmpfs.push(known({ path: mountPath, ...memory }, mount.where));
    else add(addVolume(volume, context));
  }
}

function hostPath(host: Value): HostAccess {
  const path = host.text("path") ?? "";
  // An engine's socket is the whole machine.
  const socket = /\/(?:docker|containerd|crio|podman)\.sock$/.test(path);
  return { what: socket ? "docker-socket" : "host-path", detail: path };
}

/** An emptyDir in memory that one container alone sees; null for every other volume. */
function memoryOf(
  volume: Value,
  { workload: { pod } }: Context,
): { sizeBytes: number | null } | null {
  const directory = volume.get("emptyDir");
  if (directory?.text("medium") !== "Memory") return null;
  const containers = [...pod.items("initContainers"), ...pod.items("containers")];
  const users = containers.filter((container) =>
    container.items("volumeMounts").some((each) => each.text("name") === volume.text("name")),
  );
  return users.length > 1 ? null : { sizeBytes: bytesOf(directory.get("sizeLimit")) };
}

/** Adds a pod's volume to the model's; its name there. */
function addVolume(volume: Value, context: Context): string {
  const { workload, cluster } = context;
  const { object } = workload;
  const own = volume.text("name") ?? "";
  const claim = volume.get("persistentVolumeClaim");
  const claimName = claim?.text("claimName") ?? null;
  if (claim !== null && claimName !== null) {
    const { namespace } = object;
    const id = `claim/${namespace}/${claimName}`;
    const name = cluster.volumeName(id, claimName, `${namespace}-${claimName}`);
    const found = cluster.find("PersistentVolumeClaim", object, claimName);
    if (!context.volumes.has(name)) {
      const why = `PersistentVolumeClaim ${claimName} is not in these files.`;
      const size = found?.spec?.at("resources", "requests", "storage") ?? null;
      context.volumes.set(name, {
        name: known(claimName === name ? claimName : name, found?.where ?? claim.where),
        sizeBytes: found === null ? unknown(why, claim.where) : sizeFact(size, found.where),
        ephemeral: known(false, found?.where ?? claim.where),
      });
    }
    return name;
  }
  const name = cluster.volumeName(`pod/${workload.name}/${own}`, `${workload.name}-${own}`);
  const distant = distantVolumes.find((kind) => volume.get(kind) !== null);
  const at = volume.entries.find((entry) => entry.name !== "name")?.value ?? volume;
  if (distant !== undefined && !context.volumes.has(name)) {
    object.leave(at, "What is kept there is not reached: the mirror's volume begins empty.");
  }
  const foreign = ["image", "gitRepo"].find((kind) => volume.get(kind) !== null);
  if (foreign !== undefined && !context.volumes.has(name)) {
    object.leave(at, "Its content is not loaded: the mirror's volume begins empty.");
  }
  context.volumes.set(name, {
    name: known(name, volume.where),
    sizeBytes: sizeFact(volume.at("emptyDir", "sizeLimit"), at.where),
    ephemeral: known(distant === undefined, at.where),
  });
  return name;
}

/** One volume for all copies: the mirror runs one. */
function addClaimTemplate(template: Value, { workload, cluster, volumes }: Context): string {
  const own = template.get("metadata")?.text("name") ?? "";
  const id = `template/${workload.name}/${own}`;
  const name = cluster.volumeName(id, `${own}-${workload.name}`);
  const size = template.at("spec", "resources", "requests", "storage");
  volumes.set(name, {
    name: known(name, template.where),
    sizeBytes: sizeFact(size, template.where),
    ephemeral: known(false, template.where),
  });
  return name;
}

function sizeFact(at: Value | null, absentAt: Place): Fact<number | null> {
  return known(bytesOf(at), at?.where ?? absentAt);
}

/** Null for 0 and for what is absent: no limit. */
function bytesOf(at: Value | null): number | null {
  return at === null ? null : parseBytes(at.raw) || null;
}

/** Claims that no pod mounts are volumes all the same. */
export function addUnusedClaims(cluster: Cluster, volumes: Map<string, SourceVolume>): void {
  for (const claim of cluster.ofKind("PersistentVolumeClaim")) {
    const { namespace, name: own, where } = claim;
    const id = `claim/${namespace}/${own}`;
    const name = cluster.volumeName(id, own, `${namespace}-${own}`);
    if (volumes.has(name)) continue;
    const size = claim.spec?.at("resources", "requests", "storage") ?? null;
    volumes.set(name, {
      name: known(name, where),
      sizeBytes: sizeFact(size, where),
      ephemeral: known(false, where),
    });
  }
}
