import { docker } from "./engine-objects.ts";
import { testImages } from "./images.ts";

/**
 * Before files that run side by side: each would build the same images, minutes of work. After the
 * last of them: the engine has nothing of an installation that was not there before.
 */
export default async function setup(): Promise<() => Promise<void>> {
  {
    await using _images = await testImages(`test-first-${process.pid}`);
  }
  const before = await installations();
  return async () => {
    const left = [...(await installations())].filter(([id]) => !before.has(id));
    if (left.length === 0) return;
    throw new Error(`The tests left in the engine: ${left.map(([, name]) => name).join(", ")}`);
  };
}

/** By installation, something that it has. */
async function installations(): Promise<ReadonlyMap<string, string>> {
  const label = "oneloop.installation";
  const filters = JSON.stringify({ label: [label] });
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  const all = [
    ...containers.map(({ Names, Labels }) => ({ name: Names[0] ?? "", labels: Labels })),
    ...networks.map(({ Name, Labels }) => ({ name: Name, labels: Labels ?? {} })),
    ...volumes.map(({ Name, Labels }) => ({ name: Name, labels: Labels })),
  ];
  return new Map(all.map(({ name, labels }) => [labels[label] ?? "", name]));
}
