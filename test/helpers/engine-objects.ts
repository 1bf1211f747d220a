import type { Readable } from "node:stream";
import Docker from "dockerode";

/** The tests' own connection to the engine, beside the product's. */
export const docker = new Docker({
  socketPath: (process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock").replace(
    /^unix:\/\//,
    "",
  ),
});

export interface EngineObjects {
  readonly containers: string[];
  readonly networks: string[];
  readonly volumes: string[];
}

/** The names of everything that carries a label, such as `oneloop.workspace=<id>`. */
export async function objectsWith(label: string): Promise<EngineObjects> {
  const filters = JSON.stringify({ label: [label] });
  const [containers, networks, volumes] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return {
    containers: containers.map(({ Names }) => Names[0] ?? "").sort(),
    networks: networks.map(({ Name }) => Name).sort(),
    volumes: volumes.Volumes.map(({ Name }) => Name).sort(),
  };
}

/** Removes images with a test's own certificates: nobody else will ever use them. */
export async function removeTrusting(trustId: string): Promise<void> {
  const filters = JSON.stringify({ label: [`oneloop.trust=${trustId}`] });
  for (const { Id } of await docker.listImages({ filters })) {
    await docker.getImage(Id).remove({ force: true });
  }
}

/** Removes everything of one test installation, whatever state it is in. */
export async function removeInstallation(installation: string): Promise<void> {
  const { containers, networks, volumes } = await objectsWith(
    `oneloop.installation=${installation}`,
  );
  for (const name of containers) {
    await docker.getContainer(name.replace(/^\//, "")).remove({ force: true, v: true });
  }
  for (const name of networks) await docker.getNetwork(name).remove();
  for (const name of volumes) await docker.getVolume(name).remove();
  // Built from the test's repositories.
  const filters = JSON.stringify({ reference: [`oneloop-built/${installation}`] });
  for (const { Id } of await docker.listImages({ filters })) {
    await docker.getImage(Id).remove({ force: true });
  }
}

/** Longer than from one container of a workspace that is being made to the next. */
const quietMs = 3000;

/**
 * Resolves when no container has joined or left a network for a while, as a sandbox that is made ahead
 * does after each open: Chromium ends its requests then, and some are made only once.
 */
export async function untilNetworksRest(): Promise<void> {
  const events = (await docker.getEvents({
    filters: JSON.stringify({ type: ["network"] }),
  })) as Readable;
  await new Promise<void>((resolve, reject) => {
    let timer = setTimeout(resolve, quietMs);
    events.on("data", () => {
      clearTimeout(timer);
      timer = setTimeout(resolve, quietMs);
    });
    events.on("error", reject);
  });
  events.destroy();
}
