import { isIP } from "node:net";

/** The `nameserver` lines of a resolv.conf(5). */
export function nameServers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(([, address = ""]) =>
    isIP(address.replace(/%.*/, "")) === 0 ? [] : [address],
  );
}
