import { isIP } from "node:net";
import type { RouteFact } from "./facts.ts";

/** Flags of /proc/net/route: RTF_UP (linux/route.h). */
const routeIsUp = 1;

/** The IPv4 routes of /proc/net/route: addresses are numbers of the machine's byte order, in hex. */
export function parseRoutes(text: string): (RouteFact & { readonly metric: number })[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device = "", destination = "", , flags = "", , , metric = "", mask = ""] =
        line.split(/\s+/);
      if (mask === "" || (Number.parseInt(flags, 16) & routeIsUp) === 0) return [];
      const bits = bytesOf(mask).reduce((sum, byte) => sum + ones(byte), 0);
      const network = `${bytesOf(destination).join(".")}/${bits}`;
      return [{ device, network, metric: Number(metric) }];
    });
}

function bytesOf(hex: string): number[] {
  const number = Number.parseInt(hex, 16);
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 255);
}

function ones(byte: number): number {
  return byte.toString(2).replaceAll("0", "").length;
}

/** The one that packets to the internet take: the least metric wins. */
export function defaultRoute(
  routes: readonly (RouteFact & { readonly metric: number })[],
): RouteFact | null {
  const [first] = routes
    .filter(({ network }) => network === "0.0.0.0/0")
    .sort((a, b) => a.metric - b.metric);
  return first ?? null;
}

/** The `nameserver` lines of a resolv.conf(5). */
export function nameServers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(([, address = ""]) =>
    isIP(address.replace(/%.*/, "")) === 0 ? [] : [address],
  );
}
