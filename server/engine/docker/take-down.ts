import type Docker from "dockerode";
import type { Owner, StepOptions } from "../steps.ts";
import { unless } from "./client.ts";
import { removeContainer } from "./containers.ts";
import { forgetPrepared, type JobParts } from "./jobs.ts";
import { label, type Names, type Role } from "./names.ts";
import { removeNetworks } from "./network.ts";
import type { SandboxParts } from "./sandboxes.ts";
import { removeFilesImages } from "./service-files.ts";
import { stopContainer } from "./stopping.ts";

/** A production's hour to drain connections is nothing that somebody at a keyboard waits for. */
const maxGraceSeconds = 60;

/** `Engine.stop`. */
export async function stopOwner(
  { docker, names }: { readonly docker: Docker; readonly names: Names },
  owner: Owner,
  { signal, graceMs, onPhase }: StepOptions & { readonly graceMs: number },
): Promise<void> {
  // Those that do not run, too: one may be about to, by a start that was given up just now.
  // The engine answers when that start is over.
  const filters = { label: names.filter(owner) };
  const all = await docker.listContainers({ all: true, filters });
  const stop = async (wanted: (role: Role) => boolean): Promise<void> => {
    const ending = all.filter(({ Labels }) => wanted(Labels[label.role] as Role));
    await Promise.all(
      ending.map(({ Id, Labels }) => {
        const own = Math.min(Number(Labels[label.grace] ?? 0), maxGraceSeconds);
        const graceSeconds = Math.max(Math.ceil(graceMs / 1000), own);
        return stopContainer(docker.getContainer(Id), { graceSeconds, signal });
      }),
    );
  };
  // The network goes last: a database that ends may still have something to say to it.
  await stop((role) => role !== "sandbox");
  onPhase?.("members-stopped");
  await stop((role) => role === "sandbox");
}

/** `Engine.remove`. */
export async function removeOwner(
  { jobs, sandboxes }: { readonly jobs: JobParts; readonly sandboxes: SandboxParts },
  owner: Owner,
  { storage, onPhase }: StepOptions & { readonly storage: boolean },
): Promise<void> {
  const { docker, names } = jobs;
  const filters = { label: names.filter(owner) };
  forgetPrepared(jobs, owner);
  sandboxes.ready.delete(names.network(owner));
  sandboxes.ahead.delete(names.network(owner));
  // A job's container that still goes would keep its volumes in use.
  await Promise.all(jobs.ending);
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(containers.map(({ Id }) => removeContainer(docker, Id)));
  onPhase?.("containers-removed");
  const [networks, volumes] = await Promise.all([
    docker.listNetworks({ filters }),
    storage ? docker.listVolumes({ filters }) : null,
  ]);
  await Promise.all([
    removeNetworks(
      docker,
      networks.map(({ Id }) => Id),
    ),
    ...(volumes?.Volumes ?? []).map(({ Name }) => unless([404], docker.getVolume(Name).remove())),
    removeFilesImages({ docker, names }, owner),
  ]);
}
