import { supervisorMount } from "../../../protocol/supervisor.ts";
import type { BuiltImage } from "./build.ts";
import { type ImageStep, engineStatus, orMissing, stepError } from "./operation.ts";

const advice =
  "The volume with Oneloop's supervisor could not be filled. Is the Docker engine's disk full?";

/**
 * The volume that every workspace of this installation mounts at `/.oneloop`, filled with the
 * image's content. It is named by the content, so workspaces outlive an upgrade.
 *
 * A volume's labels cannot change after it is made, so a second, empty volume says that the fill
 * came to its end: it is taken away before a fill and made after it.
 *
 * @throws OneloopError `image-unavailable`, `engine-unreachable`, `cancelled`
 */
export async function fillSupervisorVolume(
  step: ImageStep,
  image: BuiltImage,
  installation: string,
): Promise<string> {
  const { docker } = step;
  const name = `oneloop-${installation}-supervisor-${image.hash}`;
  const markName = `${name}-filled`;
  const fillerName = `${name}-fill`;
  const labels = { "oneloop.installation": installation, "oneloop.part": "supervisor" };
  try {
    const [volume, mark] = await Promise.all([
      orMissing(docker.getVolume(name).inspect()),
      orMissing(docker.getVolume(markName).inspect()),
    ]);
    if (volume !== null && mark !== null) return name;

    step.onProgress("supervisor", `filling the volume ${name}`);
    if (mark !== null) await docker.getVolume(markName).remove();
    await orMissing(docker.getContainer(fillerName).remove({ force: true, v: false }));
    if (volume === null || (await removeUnused(step, name))) {
      await docker.createVolume({ Name: name, Labels: labels });
      // The engine copies the image's folder into an empty volume when it makes the container.
      const filler = await docker.createContainer({
        name: fillerName,
        Image: image.ref,
        Cmd: [`${supervisorMount}/bin/init`],
        Labels: labels,
        NetworkDisabled: true,
        HostConfig: { Mounts: [{ Type: "volume", Source: name, Target: supervisorMount }] },
      });
      await filler.remove();
    }
    await docker.createVolume({ Name: markName, Labels: labels });
    return name;
  } catch (error) {
    throw stepError(error, step.signal, advice);
  }
}

/**
 * False when a container uses the volume: then a workspace was started with it, so it was complete,
 * and only the mark is lost.
 */
async function removeUnused({ docker }: ImageStep, volume: string): Promise<boolean> {
  try {
    await orMissing(docker.getVolume(volume).remove());
    return true;
  } catch (error) {
    if (engineStatus(error) === 409) return false;
    throw error;
  }
}
