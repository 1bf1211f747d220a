import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import type { AllowedHost } from "../../util/allow-net.ts";
import { defaultRoute, type Route } from "../../util/routes.ts";
import type { AllowedTarget } from "./rules.ts";

/** Ethernet's own; for a machine without a default route. */
const ethernetMtu = 1500;

/**
 * The IPv4 addresses of the allowed hosts, sorted. A name that does not resolve is told to `missing`
 * and allows nothing.
 */
export async function resolveAllowed(
  hosts: readonly AllowedHost[],
  missing: (host: string) => void,
): Promise<AllowedTarget[]> {
  const targets = await Promise.all(
    hosts.map(async ({ host, port }) => {
      if (isIPv4(host.split("/")[0] ?? "")) return [{ destination: host, port }];
      try {
        const found = await lookup(host, { all: true, family: 4 });
        return found.map(({ address }) => ({ destination: address, port })).sort(byDestination);
      } catch {
        missing(host);
        return [];
      }
    }),
  );
  return targets.flat();
}

function byDestination(a: AllowedTarget, b: AllowedTarget): number {
  return a.destination.localeCompare(b.destination);
}

/** IPv4 name servers that the engine hands to containers' resolver. */
export async function resolvers(resolvConf = "/etc/resolv.conf"): Promise<string[]> {
  const own = parseResolvers(await readFile(resolvConf, "utf8").catch(() => ""));
  if (own.some((address) => !address.startsWith("127."))) return own;
  // systemd-resolved's stub is on the host's loopback; the engine then asks its upstream servers.
  const upstream = await readFile("/run/systemd/resolve/resolv.conf", "utf8").catch(() => "");
  return parseResolvers(upstream);
}

/** The IPv4 `nameserver` lines of a resolv.conf(5). */
export function parseResolvers(text: string): string[] {
  const servers = text.matchAll(/^\s*nameserver\s+(\S+)/gm);
  return [...servers].flatMap(([, address = ""]) => (isIPv4(address) ? [address] : []));
}

/** Every IPv4 address that the host carries, on interfaces without a carrier too. */
export async function hostAddresses(): Promise<string[]> {
  const listed = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ family, address }) => (family === "IPv4" ? [address] : []));
  const trie = await readFile("/proc/net/fib_trie", "utf8").catch(() => "");
  return [...new Set([...listed, ...parseLocalAddresses(trie)])];
}

/**
 * The addresses that /proc/net/fib_trie calls local. (`os.networkInterfaces` leaves out interfaces
 * that have no carrier, whose addresses still answer.)
 */
export function parseLocalAddresses(trie: string): string[] {
  const found: string[] = [];
  let leaf = "";
  for (const line of trie.split("\n")) {
    const address = /\|-- (\d+\.\d+\.\d+\.\d+)/.exec(line)?.[1];
    if (address !== undefined) leaf = address;
    else if (line.includes("/32 host LOCAL")) found.push(leaf);
  }
  return [...new Set(found)];
}

/** The MTU of the interface with the default route: a larger one in a network loses packets. */
export async function defaultMtu(routes: readonly Route[]): Promise<number> {
  const way = defaultRoute(routes);
  if (way === null) return ethernetMtu;
  const text = await readFile(`/sys/class/net/${way.device}/mtu`, "utf8").catch(() => "");
  return Number(text) || ethernetMtu;
}
