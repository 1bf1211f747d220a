import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { Owner } from "../engine.ts";
import { statusOf, unless } from "./client.ts";
import { defaultMtu } from "./host.ts";
import type { Names } from "./names.ts";
import { subnetCandidates, type Subnet } from "./subnets.ts";

/** The engine's words for a subnet that another network has: there is no code of its own for it. */
const overlap = /overlaps with other one|conflicts with network|already in use/i;

/**
 * The owner's network: an explicit /28, claimed by trying, because only the engine knows all
 * networks, those of others too.
 *
 * @throws OneloopError `engine-failed` when the range is used up.
 */
export async function ensureNetwork(
  docker: Docker,
  names: Names,
  claim: { owner: Owner; range: string; signal: AbortSignal },
): Promise<Subnet> {
  const name = names.network(claim.owner);
  const mtu = await defaultMtu();
  for (const candidate of subnetCandidates(claim.range, name)) {
    claim.signal.throwIfAborted();
    try {
      await docker.createNetwork({
        Name: name,
        CheckDuplicate: true,
        Driver: "bridge",
        EnableIPv6: false,
        Labels: names.labels(claim.owner),
        IPAM: {
          Driver: "default",
          Config: [{ Subnet: candidate.subnet, Gateway: candidate.gateway }],
        },
        Options: {
          "com.docker.network.bridge.name": names.bridge(claim.owner),
          "com.docker.network.driver.mtu": String(mtu),
        },
      });
      return candidate;
    } catch (error) {
      if (statusOf(error) === 409) {
        const existing = await findNetwork(docker, name);
        if (existing !== null) return existing;
      } else if (!overlap.test((error as Error).message)) {
        throw error;
      }
    }
  }
  throw new OneloopError(
    "engine-failed",
    `Every /28 of ${claim.range} is taken. Delete workspaces, or set ONELOOP_SUBNETS to a larger range.`,
  );
}

/** Removes every network of that name; the engine lets two runs make the same one at once. */
export async function removeNetworks(docker: Docker, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => unless([404], docker.getNetwork(id).remove())));
}

async function findNetwork(docker: Docker, name: string): Promise<Subnet | null> {
  const found = await unless([404], docker.getNetwork(name).inspect());
  const config = found?.IPAM?.Config?.[0];
  if (config?.Subnet === undefined || config.Gateway === undefined) return null;
  return { subnet: config.Subnet, gateway: config.Gateway };
}

/** Whether a running container has an address on this network now. */
export function isJoined(
  { Networks }: Pick<Docker.ContainerInspectInfo["NetworkSettings"], "Networks">,
  network: string,
): boolean {
  return (Networks[network]?.IPAddress ?? "") !== "";
}
