import type Docker from "dockerode";
import type { Owner, WorkspaceSpec } from "../engine.ts";
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
  if (ephemeral.length > 0) await dropUnused(docker, names, { owner, volumes: ephemeral });
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
  { owner, volumes }: { owner: Owner; volumes: readonly string[] },
): Promise<void> {
  const containers = await docker.listContainers({
    all: true,
    filters: { label: names.filter(owner) },
  });
  const members = containers.filter(({ Labels }) => Labels[label.service] !== undefined);
  if (members.some(({ State }) => State === "running")) return;
  const dropped = new Set(volumes.map((volume) => names.volume(owner, volume)));
  const holders = members.filter(({ Mounts }) => Mounts.some(({ Name = "" }) => dropped.has(Name)));
  await Promise.all(holders.map(({ Id }) => removeContainer(docker, Id)));
  await Promise.all([...dropped].map((name) => unless([404], docker.getVolume(name).remove())));
}
