import { describe, expect, it } from "vitest";
import { redirectsOf } from "../../../server/engine/docker/redirects.ts";
import { openRules, sandboxRules, type RuleFacts } from "../../../server/engine/docker/rules.ts";
import type { NetworkName } from "../../../server/protocol/service.ts";
import { lastSupervisorPort, supervisorPort } from "../../../server/protocol/supervisor.ts";
import { service } from "../../helpers/plans.ts";
import { mirrored } from "../../conformance/engine/mirrored.ts";

type Ports = readonly (readonly [number, number, ("tcp" | "udp")?])[];

function named(name: string, ports: Ports): NetworkName {
  return {
    name,
    ports: ports.map(([port, targetPort, protocol = "tcp"]) => ({ port, targetPort, protocol })),
  };
}

const facts: RuleFacts = {
  subnet: "10.213.0.16/28",
  gateway: "10.213.0.17",
  resolvers: [],
  hostAddresses: [],
  allowed: [],
};

describe("redirectsOf", () => {
  const of = (...names: NetworkName[]) => redirectsOf([mirrored("web", { mirror: { names } })]);

  it("moves what is called at another port than the program's, for each protocol apart", () => {
    expect(
      of(
        named("web", [
          [80, 8080],
          [53, 5353, "udp"],
          [53, 53],
        ]),
      ),
    ).toEqual({
      redirects: [
        { port: 80, targetPort: 8080, protocol: "tcp" },
        { port: 53, targetPort: 5353, protocol: "udp" },
      ],
      leftOut: [],
    });
  });

  it("takes the same from two names once, and of two that differ the first, and says so", () => {
    expect(of(named("a", [[80, 8080]]), named("b", [[80, 8080]])).redirects).toHaveLength(1);
    const { redirects, leftOut } = of(named("a", [[80, 80]]), named("b", [[80, 8080]]));
    expect(redirects).toEqual([]);
    expect(leftOut).toEqual([
      "Port 80 of b does not lead to 8080: another name of the same service leads to 80.",
    ]);
  });

  it("has one port for all services of a pod", () => {
    const services = [
      service("dev"),
      mirrored("one", { mirror: { names: [named("one", [[80, 1000]])] } }),
      mirrored("two", { mirror: { names: [named("two", [[81, 2000]])] } }),
    ];
    expect(redirectsOf(services).redirects.map(({ port }) => port)).toEqual([80, 81]);
  });

  it.each([
    [supervisorPort, 80],
    [80, supervisorPort],
    [lastSupervisorPort, 80],
    [80, lastSupervisorPort],
  ])("never moves a port of a supervisor: %i to %i", (port, targetPort) => {
    const { redirects, leftOut } = of(named("web", [[port, targetPort]]));
    expect(redirects).toEqual([]);
    expect(leftOut).toEqual([expect.stringContaining("is Oneloop's own")]);
  });
});

describe("the rules of a sandbox with redirects", () => {
  const redirects = [{ port: 80, targetPort: 8080, protocol: "tcp" }] as const;
  const { v4, v6 } = sandboxRules({ ...facts, redirects });

  it("are those without them, and then a table of their own", () => {
    const plain = sandboxRules(facts);
    expect(v4.startsWith(plain.v4)).toBe(true);
    expect(v6).toBe(plain.v6);
    expect(v4.slice(plain.v4.length).split("\n")).toEqual([
      "*nat",
      "-A PREROUTING -s 10.213.0.16/28 -p tcp --dport 80 -j DNAT --to-destination :8080",
      "-A OUTPUT -o lo -d 10.213.0.16/28 -p tcp --dport 80 -j DNAT --to-destination :8080",
      "COMMIT",
      "",
    ]);
  });

  it("stand alone where the operator switched isolation off", () => {
    expect(openRules({ ...facts, redirects }).v4).toMatch(/^\*nat\n/);
    expect(openRules(facts)).toEqual({ v4: "", v6: "" });
  });

  it.each([
    [supervisorPort, 80],
    [80, lastSupervisorPort],
  ])("cannot be made of a supervisor's port: %i to %i", (port, targetPort) => {
    const wrong = { ...facts, redirects: [{ port, targetPort, protocol: "tcp" }] as const };
    expect(() => sandboxRules(wrong)).toThrow(/cannot be redirected/);
    expect(() => openRules(wrong)).toThrow(/cannot be redirected/);
  });
});
