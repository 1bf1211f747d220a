import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { overlaps, parseRange } from "./ranges.ts";

/** A network that this machine reaches through an interface. */
export interface Route {
  /** The interface's name; `*` where the kernel refuses what goes there. */
  readonly device: string;
  /** As `10.0.0.0/8`. */
  readonly network: string;
  /** Among routes to the same network the least wins. */
  readonly metric: number;
}

/** Flags of /proc/net/route: RTF_UP (linux/route.h). */
const routeIsUp = 1;

/**
 * Larger than any network that somebody was ever given: a way out, whole (`0.0.0.0/0`) or in pieces,
 * as VPNs write it (`0.0.0.0/1` and `128.0.0.0/1`).
 */
const moreThanANetwork = 2 ** 24;

/**
 * The IPv4 networks of the kernel's main table, and of the interfaces' own addresses: an address may
 * stand without a route. Empty where the machine does not tell.
 */
export async function hostRoutes(): Promise<Route[]> {
  const routes = parseRoutes(await readFile("/proc/net/route", "utf8").catch(() => ""));
  const known = new Set(routes.map(({ device, network }) => `${device} ${network}`));
  const own = Object.entries(networkInterfaces()).flatMap(([device, addresses = []]) =>
    addresses.flatMap(({ family, address, netmask }) =>
      family === "IPv4" ? [{ device, network: networkOf(address, netmask), metric: 0 }] : [],
    ),
  );
  return [...routes, ...own.filter(({ device, network }) => !known.has(`${device} ${network}`))];
}

/** The IPv4 routes of /proc/net/route: addresses are numbers of the machine's byte order, in hex. */
export function parseRoutes(text: string): Route[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device = "", destination = "", , flags = "", , , metric = "", mask = ""] =
        line.split(/\s+/);
      if (mask === "" || (Number.parseInt(flags, 16) & routeIsUp) === 0) return [];
      const network = networkOf(ofHex(destination), ofHex(mask));
      return [{ device, network, metric: Number(metric) }];
    });
}

/** The one that packets to the internet take. */
export function defaultRoute(routes: readonly Route[]): Route | null {
  const [first] = routes
    .filter(({ network }) => network === "0.0.0.0/0")
    .sort((a, b) => a.metric - b.metric);
  return first ?? null;
}

/**
 * Those to a network in the range, or around it. A way out is none of them, and behind what the kernel
 * refuses is nobody.
 */
export function routesInto<Given extends Pick<Route, "device" | "network">>(
  range: string,
  routes: readonly Given[],
): Given[] {
  const whole = parseRange(range);
  if (whole === null) return [];
  return routes.filter(({ device, network }) => {
    const other = parseRange(network);
    if (other === null || device === "*" || other.size > moreThanANetwork) return false;
    return overlaps(whole, other);
  });
}

/**
 * Those of `routesInto` that take addresses from the range. One to all of it and more, such as a VPN's
 * 10.0.0.0/8, gives way: of two routes the kernel takes the closer one.
 */
export function routesWithin<Given extends Pick<Route, "device" | "network">>(
  range: string,
  routes: readonly Given[],
): Given[] {
  const { size } = parseRange(range) ?? { size: 0 };
  return routesInto(range, routes).filter(
    ({ network }) => (parseRange(network)?.size ?? 0) <= size,
  );
}

function ofHex(hex: string): string {
  const number = Number.parseInt(hex, 16);
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 255).join(".");
}

function networkOf(address: string, mask: string): string {
  const masks = mask.split(".").map(Number);
  const base = address.split(".").map((byte, index) => Number(byte) & (masks[index] ?? 0));
  const bits = masks.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
  return `${base.join(".")}/${bits}`;
}
