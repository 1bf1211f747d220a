import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import { parseRange } from "../../util/ranges.ts";
import { hostRoutes, routesWithin, type Route } from "../../util/routes.ts";
import type { Owner } from "../steps.ts";
import { statusOf, unless } from "./client.ts";
import { defaultMtu } from "./host.ts";
import { removeContainer } from "./containers.ts";
import { label, type Names, type Role } from "./names.ts";
import { hasRoom, prefixFor, subnetCandidates, type Subnet } from "./subnets.ts";

/** The engine's words for a subnet that another network has: there is no code of its own for it. */
const overlap = /overlaps with other one|conflicts with network|already in use/i;

interface Claim {
  /** null: nobody, see `ensureWaitingNetwork`. */
  readonly owner: Owner | null;
  /** Of all networks. */
  readonly range: string;
  /** How many sandboxes it is for. */
  readonly pods: number;
  readonly signal: AbortSignal;
}

/**
 * The owner's network: an explicit small one, claimed by trying, because only the engine knows all
 * networks, those of others too. It does not know what this machine has routes to beside them: a VPN,
 * an office's network, the bridge that a killed engine left. A network that a grown plan does not fit
 * in any more is made again.
 *
 * @throws OneloopError `engine-failed` when the range is used up.
 */
export async function ensureNetwork(docker: Docker, names: Names, claim: Claim): Promise<Subnet> {
  const { owner } = claim;
  const name = owner === null ? names.waitingNetwork() : names.network(owner);
  const prefixBits = prefixFor(claim.pods);
  const routes = await hostRoutes();
  const mtu = await defaultMtu(routes);
  // The engine takes a bridge of the owner's own over, whoever left it.
  const others = routes.filter(({ device }) => device !== names.bridge(name));
  const foreign = routesWithin(claim.range, others);
  const taken = foreign.flatMap(({ network }) => parseRange(network) ?? []);
  for (const candidate of subnetCandidates(claim.range, name, { prefixBits, taken })) {
    claim.signal.throwIfAborted();
    try {
      await docker.createNetwork({
        Name: name,
        CheckDuplicate: true,
        Driver: "bridge",
        EnableIPv6: false,
        Labels: owner === null ? names.waitingLabels() : names.labels(owner),
        IPAM: {
          Driver: "default",
          Config: [{ Subnet: candidate.subnet, Gateway: candidate.gateway }],
        },
        Options: {
          "com.docker.network.bridge.name": names.bridge(name),
          "com.docker.network.driver.mtu": String(mtu),
          ...(owner === null ? waitingOptions : {}),
        },
      });
      return candidate;
    } catch (error) {
      if (statusOf(error) === 409) {
        const existing = await findNetwork(docker, name);
        if (existing !== null && hasRoom(existing.subnet, claim.pods)) return existing;
        if (existing !== null && owner !== null) {
          await removeOutgrown(docker, names, { owner, network: existing.id });
          return ensureNetwork(docker, names, claim);
        }
      } else if (!overlap.test((error as Error).message)) {
        throw error;
      }
    }
  }
  // Where no other is free, the engine was never asked for the one that is there.
  const existing = await findNetwork(docker, name);
  if (existing !== null && hasRoom(existing.subnet, claim.pods)) return existing;
  throw nothingFree(claim.range, {
    prefixBits,
    foreign: await withoutNetwork(docker, foreign),
  });
}

/**
 * The engine numbers a container's interfaces by the networks that it has ever been in: one that came
 * back under other names would have `eth1`, and production has `eth0`. Here they are called otherwise,
 * and do not see each other.
 */
const waitingOptions = {
  "com.docker.network.container_iface_prefix": "wait",
  "com.docker.network.bridge.enable_icc": "false",
};

/** So many sandboxes of workspaces that nobody asked for, at most. */
const mostWaiting = 50;

/** One for the whole installation, where sandboxes are until an owner's network has them. */
export async function ensureWaitingNetwork(
  docker: Docker,
  names: Names,
  claim: Pick<Claim, "range" | "signal">,
): Promise<void> {
  await ensureNetwork(docker, names, { ...claim, owner: null, pods: mostWaiting });
}

/** While somebody waits there it stays. */
export async function removeWaitingNetwork(docker: Docker, names: Names): Promise<void> {
  await unless([403, 404], docker.getNetwork(names.waitingNetwork()).remove());
}

/** The routes that lead to no network of the engine. */
async function withoutNetwork(docker: Docker, routes: readonly Route[]): Promise<Route[]> {
  const networks = await docker.listNetworks();
  const known = networks.flatMap(({ IPAM }) => (IPAM?.Config ?? []).map(({ Subnet }) => Subnet));
  return routes.filter(({ network }) => !known.includes(network));
}

/** Routes that a sentence names. */
const namedRoutes = 4;

/** @param foreign routes into the range that are no network's of the engine. */
export function nothingFree(
  range: string,
  { prefixBits, foreign }: { prefixBits: number; foreign: readonly Route[] },
): OneloopError {
  const taken = `Every /${prefixBits} of ${range} is taken`;
  if (foreign.length === 0) {
    return new OneloopError(
      "engine-failed",
      `${taken}. Delete workspaces, or set ONELOOP_SUBNETS to a larger range.`,
    );
  }
  const named = foreign
    .slice(0, namedRoutes)
    .map(({ network, device }) => `${network} (${device})`);
  const more = foreign.length - named.length;
  const all = `${named.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
  return new OneloopError(
    "engine-failed",
    `${taken}: this machine has routes to ${all}. Set ONELOOP_SUBNETS to a private range that it has none to; \`loop doctor\` names what was left behind.`,
  );
}

/** With the sandboxes in it, whose members know them by their ids and are made again, too. */
async function removeOutgrown(
  docker: Docker,
  names: Names,
  { owner, network }: { owner: Owner; network: string },
): Promise<void> {
  const role: Role = "sandbox";
  const filters = { label: [...names.filter(owner), `${label.role}=${role}`] };
  const sandboxes = await docker.listContainers({ all: true, filters });
  await Promise.all(sandboxes.map(({ Id }) => removeContainer(docker, Id)));
  await removeNetworks(docker, [network]);
}

/** Removes every network of that name; the engine lets two runs make the same one at once. */
export async function removeNetworks(docker: Docker, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => unless([404], docker.getNetwork(id).remove())));
}

async function findNetwork(
  docker: Docker,
  name: string,
): Promise<(Subnet & { readonly id: string }) | null> {
  const found = await unless([404], docker.getNetwork(name).inspect());
  const config = found?.IPAM?.Config?.[0];
  if (config?.Subnet === undefined || config.Gateway === undefined) return null;
  return { id: found?.Id ?? name, subnet: config.Subnet, gateway: config.Gateway };
}

/** Whether a running container has an address on this network now. */
export function isJoined(
  { Networks }: Pick<Docker.ContainerInspectInfo["NetworkSettings"], "Networks">,
  network: string,
): boolean {
  return (Networks[network]?.IPAddress ?? "") !== "";
}

/** Whether the network knows a container by these names, and by no others of a plan's. */
export function isNamed(
  { Id, Config, NetworkSettings }: Docker.ContainerInspectInfo,
  network: string,
  names: readonly string[],
): boolean {
  // The engine adds its own: the start of the id and, from some versions on, the host name.
  const own = [Id.slice(0, 12), Config.Hostname];
  const known = (NetworkSettings.Networks[network]?.Aliases ?? []) as readonly string[];
  return (
    names.every((name) => known.includes(name)) &&
    known.every((name) => names.includes(name) || own.includes(name))
  );
}
