import { describe, expect, it } from "vitest";
import {
  parseLocalAddresses,
  parseResolvers,
  resolveAllowed,
} from "../../../server/engine/docker/host.ts";

describe("what the rules are made from", () => {
  it("finds IPv4 name servers only", () => {
    const text = "# nameserver 1.1.1.1\nnameserver 10.0.0.53\n nameserver fe80::1\nsearch x\n";
    expect(parseResolvers(text)).toEqual(["10.0.0.53"]);
  });

  it("finds local addresses of interfaces in any state", () => {
    const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 203.0.113.7
        /32 host LOCAL
`;
    expect(parseLocalAddresses(trie)).toEqual(["127.0.0.1", "203.0.113.7"]);
  });

  it("says which name does not resolve and allows nothing for it", async () => {
    const missing: string[] = [];
    const hosts = [
      { host: "10.9.8.0/24", port: 1 },
      { host: "name.invalid", port: 2 },
    ];
    expect(await resolveAllowed(hosts, (host) => missing.push(host))).toEqual([
      { destination: "10.9.8.0/24", port: 1 },
    ]);
    expect(missing).toEqual(["name.invalid"]);
  });
});
