import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sandboxRules } from "../../../server/engine/docker/rules.ts";
import { hasRoom, prefixFor, subnetCandidates } from "../../../server/engine/docker/subnets.ts";
import { parseRange, type Range } from "../../../server/util/ranges.ts";

function rangeOf(text: string): Range {
  const range = parseRange(text);
  if (range === null) throw new Error(`${text} is no range`);
  return range;
}

const facts = {
  subnet: "10.213.0.16/28",
  gateway: "10.213.0.17",
  resolvers: ["10.255.255.53"],
  hostAddresses: ["127.0.0.1", "192.0.2.2", "10.213.0.17", "172.17.0.1"],
  allowed: [{ destination: "192.168.7.0/24", port: 5432 }],
};

/** The rules of a chain that a packet meets, in order. */
function chain(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(`-A ${name} `));
}

/** The first position of a rule that contains the text. */
function position(text: string, part: string): number {
  const at = chain(text, "OUTPUT").findIndex((line) => line.includes(part));
  expect(at, part).toBeGreaterThanOrEqual(0);
  return at;
}

describe("sandboxRules", () => {
  const { v4, v6 } = sandboxRules(facts);

  it("drops by policy in every chain of both families", () => {
    for (const text of [v4, v6]) {
      expect(text).toMatch(/^\*filter\n:INPUT DROP \[0:0\]\n:FORWARD DROP \[0:0\]\n:OUTPUT DROP/);
      expect(text.endsWith("COMMIT\n")).toBe(true);
    }
  });

  it("lets what the operator allowed, and the resolver, through before the refused ranges", () => {
    const refused = position(v4, "-d 10.0.0.0/8");
    expect(position(v4, "-d 192.168.7.0/24 -p tcp --dport 5432 -j ACCEPT")).toBeLessThan(refused);
    expect(position(v4, "-d 10.255.255.53 -p udp --dport 53 -j ACCEPT")).toBeLessThan(refused);
  });

  it("refuses the host on the workspace's own network, which it allows otherwise", () => {
    const own = position(v4, "-d 10.213.0.16/28 -j ACCEPT");
    expect(position(v4, "-d 10.213.0.17/32 -j REJECT")).toBeLessThan(own);
    expect(own).toBeLessThan(position(v4, "-d 10.0.0.0/8"));
  });

  it("names those of the host's addresses that no refused range covers", () => {
    position(v4, "-d 192.0.2.2/32 -j REJECT");
    expect(v4).not.toContain("172.17.0.1");
    expect(v4).not.toContain("127.0.0.1/32");
  });

  it("stays the same when another workspace's gateway comes to the host", () => {
    const later = { ...facts, hostAddresses: [...facts.hostAddresses, "10.213.9.1"] };
    expect(sandboxRules(later)).toEqual({ v4, v6 });
  });

  it("refuses the supervisor's port on the loopback before the loopback is open", () => {
    for (const text of [v4, v6]) {
      const [first, second] = chain(text, "INPUT");
      expect(first).toBe(
        "-A INPUT -i lo -p tcp --dport 22022:22085 -j REJECT --reject-with tcp-reset",
      );
      expect(second).toBe("-A INPUT -i lo -j ACCEPT");
    }
  });

  it("lets only the host to the supervisor's port from outside", () => {
    const input = chain(v4, "INPUT");
    const fromHost = input.indexOf(
      "-A INPUT -s 10.213.0.17/32 -p tcp --dport 22022:22085 -j ACCEPT",
    );
    const fromOthers = input.indexOf(
      "-A INPUT -p tcp --dport 22022:22085 -j REJECT --reject-with tcp-reset",
    );
    const rest = input.indexOf("-A INPUT -s 10.213.0.16/28 -j ACCEPT");
    expect(fromHost).toBeGreaterThan(0);
    expect(fromOthers).toBe(fromHost + 1);
    expect(rest).toBeGreaterThan(fromOthers);
  });

  it("refuses the host every other port: its users pass the port proxy, or not at all", () => {
    const input = chain(v4, "INPUT");
    const supervisor = input.findIndex((line) => line.includes("--dport 22022:22085 -j ACCEPT"));
    const refused = input.findIndex((line) => line.startsWith("-A INPUT -s 10.213.0.17/32 -j REJ"));
    const neighbours = input.indexOf("-A INPUT -s 10.213.0.16/28 -j ACCEPT");
    expect(refused).toBeGreaterThan(supervisor);
    expect(refused).toBeLessThan(neighbours);
    expect(input.indexOf("-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")).toBe(2);
  });

  it("refuses the metadata services of the clouds, the one on a public address too", () => {
    position(v4, "-d 169.254.0.0/16 -j REJECT");
    position(v4, "-d 168.63.129.16/32 -j REJECT");
  });

  it("opens nothing but the loopback for IPv6", () => {
    expect(v6.match(/ACCEPT/g)).toHaveLength(2);
    expect(v6).toContain("-A OUTPUT -o lo -j ACCEPT");
  });
});

describe("subnetCandidates", () => {
  it("tries every /28 of the range once", () => {
    const all = [...subnetCandidates("10.213.0.0/24", "seed")];
    expect(new Set(all.map(({ subnet }) => subnet)).size).toBe(16);
    for (const { subnet, gateway } of all) {
      const last = Number(/^10\.213\.0\.(\d+)\/28$/.exec(subnet)?.[1]);
      expect(last % 16).toBe(0);
      expect(gateway).toBe(`10.213.0.${last + 1}`);
    }
  });

  it("takes larger networks aligned, and none from a range that is smaller", () => {
    const all = [...subnetCandidates("10.213.0.0/22", "seed", { prefixBits: 24 })].map(
      ({ subnet }) => subnet,
    );
    expect(all.toSorted()).toEqual([0, 1, 2, 3].map((third) => `10.213.${third}.0/24`));
    expect([...subnetCandidates("10.213.0.0/24", "seed", { prefixBits: 22 })]).toEqual([]);
  });

  it("gives all that overlaps nothing taken, and nothing else", () => {
    const route = fc
      .tuple(fc.nat(2 ** 14 - 1), fc.integer({ min: 16, max: 32 }))
      .map(([offset, bits]) => `10.213.${offset >> 8}.${offset & 255}/${bits}`);
    const prefix = fc.constantFrom(28, 26, 24, 22);
    fc.assert(
      fc.property(fc.array(route, { maxLength: 6 }), prefix, fc.string(), (routes, bits, seed) => {
        const taken = routes.map(rangeOf);
        const given = (options: { taken?: Range[] }): string[] =>
          [...subnetCandidates("10.213.0.0/18", seed, { prefixBits: bits, ...options })].map(
            ({ subnet }) => subnet,
          );
        const isFree = (subnet: string): boolean => {
          const { first, size } = rangeOf(subnet);
          return taken.every((one) => one.first >= first + size || one.first + one.size <= first);
        };
        expect(given({ taken })).toEqual(given({}).filter(isFree));
      }),
    );
  });

  it("gives nothing of a range that is taken whole", () => {
    const taken = [rangeOf("10.0.0.0/8")];
    expect([...subnetCandidates("10.213.0.0/16", "seed", { taken })]).toEqual([]);
  });

  it("starts at the same one for the same seed, and elsewhere for another", () => {
    const first = (seed: string): unknown => subnetCandidates("10.213.0.0/16", seed).next().value;
    expect(first("a")).toEqual(first("a"));
    expect(first("a")).not.toEqual(first("b"));
  });

  it("reaches addresses above the half of the address space", () => {
    const last = [...subnetCandidates("192.168.255.0/24", "x")].map(({ subnet }) => subnet);
    expect(last).toContain("192.168.255.240/28");
  });

  it.each(["10.213.0.8/24", "10.213.0.0/29", "10.0.0.0/7", "10.0.0.0/x"])("refuses %s", (range) => {
    expect(() => subnetCandidates(range, "x").next()).toThrow(/ONELOOP_SUBNETS/);
  });
});

describe("the size of a network", () => {
  it.each([
    [1, 28],
    [12, 28],
    [13, 26],
    [50, 26],
    [51, 24],
    [230, 24],
    [231, 22],
    [501, 22],
    [1000, 22],
  ])("for %i pods is a /%i, which has room for them", (pods, bits) => {
    expect(prefixFor(pods)).toBe(bits);
    expect(hasRoom(`10.0.0.0/${bits}`, pods)).toBe(true);
  });

  it("has addresses for all but the network, its broadcast and the host", () => {
    expect(hasRoom("10.0.0.0/28", 13)).toBe(true);
    expect(hasRoom("10.0.0.0/28", 14)).toBe(false);
  });

  it("is refused where a bridge has no ports for them", () => {
    expect(() => prefixFor(1001)).toThrow(/more than one workspace can have/);
  });
});
