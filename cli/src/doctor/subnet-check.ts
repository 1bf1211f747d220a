import { parseRange, type Range } from "../../../server/util/ranges.ts";
import { routesInto, routesWithin } from "../../../server/util/routes.ts";
import { good, trouble, type Check } from "./check.ts";
import type { NetworkFact, RouteFact } from "./facts.ts";

/** Addresses of the /28 that a workspace takes. */
const blockSize = 16;
/** Of /28s; the pool of prepared workspaces takes two of them. */
const fewBlocks = 16;

/** As bridges are named here (`ws-` and 12 digits of a hash), and by the engine (`br-`, of an id). */
const bridgeOfNetwork = /^(?:ws|br)-[0-9a-f]{12}$/;

/**
 * How many workspaces the range has room for beside what is in use. The engine's own address pools,
 * which end at 31 networks, are not used: each workspace's network gets an explicit subnet.
 */
export function checkSubnets(
  range: string,
  networks: readonly NetworkFact[],
  routes: readonly RouteFact[],
): Check {
  const name = "Addresses";
  const whole = parseRange(range);
  if (whole === null) {
    return trouble("bad", name, {
      detail: `${range} is no IPv4 range`,
      means: "No workspace can get a network.",
      mend: "unset ONELOOP_SUBNETS",
    });
  }
  // A bridge counts as well where the engine has forgotten its network.
  const own = new Set([
    ...networks.flatMap(({ subnets }) => subnets),
    ...routes.flatMap(({ device, network }) => (bridgeOfNetwork.test(device) ? [network] : [])),
  ]);
  const foreign = routesInto(range, routes).filter(({ network }) => !own.has(network));
  const taken = [...own, ...routesWithin(range, foreign).map(({ network }) => network)];
  const free = freeBlocks(
    whole,
    taken.flatMap((subnet) => parseRange(subnet) ?? []),
  );
  if (foreign.length > 0) {
    const routed = foreign.map(({ network, device }) => `${network} (${device})`).join(", ");
    return trouble(free === 0 ? "bad" : "warn", name, {
      detail: `${range} overlaps ${routed}`,
      means: `No workspace is given addresses that are routed elsewhere, and what lies behind a route to all of the range is cut off where a workspace has its address: there is room for ${free} more.`,
      mend: "export ONELOOP_SUBNETS=<a private range that is free here>, then npm start",
    });
  }
  const detail = `room for ${free} more workspaces in ${range}`;
  if (free >= fewBlocks) return good(name, detail);
  return trouble(free === 0 ? "bad" : "warn", name, {
    detail,
    means: "Each workspace that is not deleted keeps a /28; without one no other can start.",
    mend: "export ONELOOP_SUBNETS=<a larger private range>, then npm start; or loop delete WORKSPACE",
  });
}

/** Bridges in the range that no network of the engine has: one that was killed left them. */
export function checkBridges(
  range: string,
  networks: readonly NetworkFact[],
  routes: readonly RouteFact[],
): Check {
  const name = "Bridges";
  const used = networks.map(({ bridge }) => bridge);
  const left = routesInto(range, routes).filter(
    ({ device }) => bridgeOfNetwork.test(device) && !used.includes(device),
  );
  if (left.length === 0) return good(name, `each in ${range} is a network of Docker's`);
  const devices = [...new Set(left.map(({ device }) => device))];
  return trouble("warn", name, {
    detail: `no network of Docker's: ${left.map(({ device, network }) => `${device} (${network})`).join(", ")}`,
    means:
      "A Docker that was killed left this: no workspace is given these addresses, and none that has them is reached.",
    mend: devices.map((device) => `sudo ip link delete ${device}`).join(" && "),
  });
}

function freeBlocks(range: Range, taken: readonly Range[]): number {
  const used = new Set<number>();
  for (const { first, size } of taken) {
    const end = Math.min(first + size, range.first + range.size);
    for (let at = Math.max(first, range.first); at < end; at += blockSize) {
      used.add(Math.floor((at - range.first) / blockSize));
    }
  }
  return Math.floor(range.size / blockSize) - used.size;
}
