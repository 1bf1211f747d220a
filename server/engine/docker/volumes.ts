import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { PlannedService, VolumeMount } from "../../protocol/service.ts";
import type { Owner, WorkspaceSpec } from "../steps.ts";
import { devServiceOf, homeVolume, sourceVolume } from "../member-spec.ts";
import { unless } from "./client.ts";
import { removeContainer } from "./containers.ts";
import { label, type Names } from "./names.ts";

export interface OwnedVolume {
  readonly owner: Owner;
  /** The plan's name. */
  readonly volume: string;
}

function labelsOf(names: Names, { owner, volume }: OwnedVolume): Record<string, string> {
  return { ...names.labels(owner), [label.volume]: volume };
}

/**
 * A volume of an owner at a path. The engine makes a missing one with these labels, and fills an
 * empty one with what the image has at the path, and with that folder's owner.
 */
export function volumeMount(
  names: Names,
  mount: OwnedVolume & { path: string; readOnly?: boolean; noCopy?: boolean },
): Docker.MountSettings {
  return {
    Type: "volume",
    Source: names.volume(mount.owner, mount.volume),
    Target: mount.path,
    ReadOnly: mount.readOnly ?? false,
    VolumeOptions: {
      NoCopy: mount.noCopy ?? false,
      Labels: labelsOf(names, mount),
      DriverConfig: { Name: "local", Options: {} },
    },
  };
}

/**
 * A volume of the plan at the path of a service. The engine mounts no folder of a volume, and binding
 * one would follow a link that somebody made in it: the folder is a volume of its own. That is the
 * same as long as nobody mounts what is around it.
 *
 * @throws OneloopError `plan-impossible` where somebody does.
 */
export function planMount(
  names: Names,
  { owner, plan }: WorkspaceSpec,
  { service, mount }: { service: PlannedService; mount: VolumeMount },
): Docker.MountSettings {
  const { volume, path, readOnly = false } = mount;
  const whole = volumeMount(names, { owner, volume, path, readOnly });
  const folder = folderOf(mount);
  if (folder === "") return whole;
  const around = mountsOf(plan).find(
    ({ mount: other }) => other.volume === volume && overlaps(folderOf(other), folder),
  );
  if (around !== undefined) {
    throw new OneloopError(
      "plan-impossible",
      `${service.name} wants only the folder ${folder} of the volume ${volume} at ${path}, and ${around.service} has ${folderOf(around.mount) || "all"} of it: this engine cannot mount a part of a volume.`,
    );
  }
  return {
    ...whole,
    Source: names.volumePart(owner, volume, folder),
    VolumeOptions: {
      NoCopy: false,
      Labels: names.labels(owner),
      DriverConfig: { Name: "local", Options: {} },
    },
  };
}

/**
 * What an image declares as a volume and the plan does not: a volume with a name that is the same for
 * each container of the service, so that the data outlive them.
 */
export function anonymousMount(
  names: Names,
  { owner, service, path }: { owner: Owner; service: string; path: string },
): Docker.MountSettings {
  return {
    Type: "volume",
    Source: names.anonymousVolume(owner, service, path),
    Target: path,
    VolumeOptions: {
      NoCopy: false,
      // No plan's volume: it goes with the owner's storage, and nobody is told of it.
      Labels: names.labels(owner),
      DriverConfig: { Name: "local", Options: {} },
    },
  };
}

/** A folder of an image as a volume of its own, filled from it the first time. */
export function changingMount(
  names: Names,
  of: { owner: Owner; service: string; imageId: string; path: string },
): Docker.MountSettings {
  const { owner, service, path } = of;
  return {
    Type: "volume",
    Source: names.changingVolume(owner, service, of),
    Target: path,
    ReadOnly: true,
    VolumeOptions: {
      NoCopy: false,
      Labels: { ...names.labels(owner), [label.changing]: service },
      DriverConfig: { Name: "local", Options: {} },
    },
  };
}

function mountsOf(plan: WorkspacePlan): { service: string; mount: VolumeMount }[] {
  return plan.services.flatMap(({ name, mounts }) =>
    mounts.map((mount) => ({ service: name, mount })),
  );
}

/** Below the volume's root, without a slash at its ends; empty for the root. */
function folderOf({ subPath = "" }: VolumeMount): string {
  return subPath
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

/** One of them is in the other; the same folder may be mounted by several. */
function overlaps(one: string, other: string): boolean {
  return one !== other && (isWithin(one, other) || isWithin(other, one));
}

function isWithin(folder: string, around: string): boolean {
  return around === "" || folder.startsWith(`${around}/`);
}

/** A volume of the installation itself. */
export function readOnlyVolume(name: string, path: string): Docker.MountSettings {
  return { Type: "volume", Source: name, Target: path, ReadOnly: true };
}

/**
 * Makes the plan's volumes that are missing, with source and home. An ephemeral one begins empty at
 * each start: it is made anew while no service of the workspace runs.
 */
export async function ensureVolumes(
  docker: Docker,
  names: Names,
  { owner, plan }: WorkspaceSpec,
): Promise<void> {
  const ephemeral = plan.volumes.filter((volume) => volume.ephemeral).map(({ name }) => name);
  if (ephemeral.length > 0) await dropUnused(docker, names, { owner, plan, volumes: ephemeral });
  const wanted = new Set(plan.volumes.map(({ name }) => name));
  wanted.add(homeVolume);
  if (devServiceOf(plan).sourcePath !== null) wanted.add(sourceVolume);
  await Promise.all(
    [...wanted].map((volume) =>
      docker.createVolume({
        Name: names.volume(owner, volume),
        Labels: labelsOf(names, { owner, volume }),
      }),
    ),
  );
}

/** A stopped container holds its volumes; it is made again from the plan. */
async function dropUnused(
  docker: Docker,
  names: Names,
  { owner, plan, volumes }: { owner: Owner; plan: WorkspacePlan; volumes: readonly string[] },
): Promise<void> {
  const containers = await docker.listContainers({
    all: true,
    filters: { label: names.filter(owner) },
  });
  const members = containers.filter(({ Labels }) => Labels[label.service] !== undefined);
  if (members.some(({ State }) => State === "running")) return;
  const folders = mountsOf(plan).filter(
    ({ mount }) => volumes.includes(mount.volume) && folderOf(mount) !== "",
  );
  const dropped = new Set([
    ...volumes.map((volume) => names.volume(owner, volume)),
    ...folders.map(({ mount }) => names.volumePart(owner, mount.volume, folderOf(mount))),
  ]);
  const holders = members.filter(({ Mounts }) => Mounts.some(({ Name = "" }) => dropped.has(Name)));
  await Promise.all(holders.map(({ Id }) => removeContainer(docker, Id)));
  await Promise.all([...dropped].map((name) => unless([404], docker.getVolume(name).remove())));
}
