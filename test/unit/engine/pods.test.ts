import { describe, expect, it } from "vitest";
import { Names } from "../../../server/engine/docker/names.ts";
import type { Preparation } from "../../../server/engine/engine.ts";
import type { NetworkName, PlannedService } from "../../../server/protocol/service.ts";
import {
  countPrepared,
  podsOf,
  roomFor,
  sandboxNameOf,
  sandboxOptions,
} from "../../../server/engine/docker/pods.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { unsaidMirror } from "../../../server/protocol/service.ts";
import { mirrored } from "../../conformance/engine/mirrored.ts";

const names = new Names("abcdefgh");
const owner = { kind: "workspace", id: "w" } as const;

/** The services of each pod, by who stands alone in it. */
function podNames(plan: ReturnType<typeof planOf>): Record<string, string[]> {
  return Object.fromEntries(
    podsOf(plan).map(({ alone, services }) => [alone ?? "", services.map(({ name }) => name)]),
  );
}

describe("podsOf", () => {
  it("gives each mirrored service a pod, and what is a part of it the same one", () => {
    const part = (name: string, partOf: string | null) =>
      mirrored(name, { mirror: { role: "sidecar", partOf } });
    const plan = planOf([
      service("dev"),
      part("db-init", "db"),
      mirrored("db"),
      part("dev-proxy", "dev"),
      service("cache"),
      part("deep", "db-init"),
      part("lost", "nobody"),
      part("round", "turn"),
      part("turn", "round"),
    ]);
    expect(podNames(plan)).toEqual({
      "": ["dev", "dev-proxy", "cache"],
      db: ["db-init", "db", "deep"],
      lost: ["lost"],
      turn: ["round"],
      round: ["turn"],
    });
    expect(podsOf(plan)[0]?.alone).toBeNull();
    for (const { alone, services } of podsOf(plan)) {
      for (const one of services) {
        expect(sandboxNameOf(names, { owner, plan }, one)).toBe(names.sandbox(owner, alone));
      }
    }
  });
});

const port = (targetPort: number) => ({ port: 80, targetPort, protocol: "tcp" as const });
const usual: Preparation = { like: null, spares: 0 };
const others = (count: number): PlannedService[] =>
  Array.from({ length: count }, (_, at) => mirrored(`s${at}`));

function count(services: readonly PlannedService[], preparation: Preparation): number {
  return countPrepared(planOf(services as [PlannedService]), preparation);
}

describe("countPrepared, of what every plan needs,", () => {
  const standIn = (names: NetworkName[]): PlannedService =>
    service("dev", { mirror: { ...unsaidMirror, names } });

  const several: Preparation = { ...usual, several: true };

  it.each([
    ["one service", [service("dev")]],
    ["one that stands in for nothing", [service("dev", { mirror: unsaidMirror })]],
  ])("is the workspace's own for %s", (_what, services) => {
    expect(count(services, usual)).toBe(1);
    expect(count(services, several)).toBe(1);
  });

  it.each([
    ["one that is called by a name of production", [standIn([{ name: "front-end", ports: [] }])]],
    ["services beside it", [service("dev"), service("db"), ...others(3)]],
    ["as many as a small network holds", [service("dev"), ...others(11)]],
    ["one that is called as the sandbox is", [service("workspace"), mirrored("db")]],
  ])("is the workspace's own for %s, where it gets names", (_what, services) => {
    expect(count(services, several)).toBe(1);
    expect(count(services, usual)).toBe(0);
    expect(podsOf(planOf(services as [PlannedService]))[0]?.hostname).toBe("workspace");
  });

  it.each([
    ["more than a small network holds", [service("dev"), ...others(12)]],
    ["another that is called as the sandbox is", [service("dev"), mirrored("workspace")]],
    [
      "another's name of production that is",
      [service("dev"), mirrored("db", { mirror: { names: [{ name: "workspace", ports: [] }] } })],
    ],
    ["a dev service in a network of its own", [service("dev", { dedicatedPod: true })]],
    ["one whose port leads elsewhere", [standIn([{ name: "web", ports: [port(8080)] }])]],
    ["more than any network holds", [service("dev"), ...others(1000)]],
  ])("is nothing for %s", (_what, services) => {
    expect(count(services, usual)).toBe(0);
    expect(count(services, several)).toBe(0);
  });
});

describe("countPrepared, of what another plan needs,", () => {
  const db = (targetPort: number): PlannedService =>
    mirrored("db", { mirror: { names: [{ name: "sql", ports: [port(targetPort)] }] } });
  const keeps = mirrored("keeps", { mounts: [{ volume: "data", path: "/data" }] });
  const shop = planOf([service("dev"), db(8080), keeps, mirrored("mail"), mirrored("web")]);
  const like: Preparation = { like: shop, spares: 2 };
  const [dev, , , mail, web] = shop.services;

  it("is all where they differ in nothing that a sandbox is made from", () => {
    const image = "other:2";
    const same = shop.services.map((one) => ({ ...one, image, env: { A: "b" } }));
    expect(count(same, like)).toBe(5);
  });

  it.each<[string, number, PlannedService[]]>([
    ["the workspace's own alone", 1, []],
    ["one of nobody's", 2, [mirrored("api")]],
    ["as many of them as there are", 3, [mirrored("api"), mirrored("auth"), mirrored("cart")]],
    ["those of the same name, too", 4, [mirrored("api"), mirrored("mail"), mirrored("cart")]],
    ["not where a port leads elsewhere", 1, [db(8090)]],
    ["not one that keeps data under its name", 1, [mirrored("x", { mounts: keeps.mounts })]],
    ["not a service of the workspace's own", 1, [service("mail", { dedicatedPod: true })]],
  ])("is %s", (_what, found, services) => {
    expect(count([service("dev"), ...services], like)).toBe(found);
  });

  it("is at most sixteen, and has room for more", () => {
    const many = planOf([service("dev"), ...others(30)]);
    expect(countPrepared(many, { like: many, spares: 0 })).toBe(16);
    expect(countPrepared(many, like)).toBe(0);
    expect(countPrepared(shop, { like: many, spares: 0 })).toBe(1);
    expect(countPrepared(shop, { like: many, spares: 2 })).toBe(3);
  });

  it("is nothing where the network has no address for the rest", () => {
    const moved = (at: number): PlannedService =>
      mirrored(`m${at}`, { mirror: { names: [{ name: `n${at}`, ports: [port(8080)] }] } });
    const plans = (count: number): PlannedService[] => [
      service("dev"),
      ...Array.from({ length: count }, (_, at) => moved(at)),
    ];
    expect(count(plans(5), { like: null, spares: 6 })).toBe(1);
    expect(count(plans(6), { like: null, spares: 6 })).toBe(0);
    expect(count([service("dev"), ...others(11)], { like: null, spares: 16 })).toBe(12);
    expect(roomFor({ like: null, spares: 16 })).toBe(50);
    expect(count([service("dev"), ...others(49)], { like: null, spares: 16 })).toBe(17);
  });

  it("is as many as there are for nobody yet", () => {
    const services = [dev, mail, web].filter((one) => one !== undefined);
    expect(count(services, { like: null, spares: 4 })).toBe(3);
    expect(count(services, { like: null, spares: 1 })).toBe(2);
  });
});

describe("sandboxOptions", () => {
  it("has all names of its services once, and a host name that the kernel takes", () => {
    const long = "n".repeat(100);
    const plan = planOf([
      service("dev"),
      mirrored(long, {
        mounts: [{ volume: "data", path: "/data" }],
        mirror: {
          names: [
            { name: "db", ports: [] },
            { name: "db.default.svc.cluster.local", ports: [] },
            { name: long, ports: [] },
          ],
        },
      }),
    ]);
    const pod = podsOf(plan)[1];
    if (pod === undefined) throw new Error("the plan has two pods");
    const made = { pod, rules: { v4: "", v6: "" }, image: "helper" };
    const { Hostname, NetworkingConfig } = sandboxOptions(names, owner, made);
    expect(Hostname).toHaveLength(63);
    const aliases = Object.values(NetworkingConfig?.EndpointsConfig ?? {})[0]?.Aliases;
    expect(aliases).toEqual([long, "db", "db.default.svc.cluster.local"]);
  });
});

it("the host name of what is together is none that another service may have", () => {
  const plan = planOf([service("dev"), mirrored("workspace")]);
  const hostnames = podsOf(plan).map(
    (pod) =>
      sandboxOptions(names, owner, { pod, rules: { v4: "", v6: "" }, image: "helper" }).Hostname,
  );
  expect(hostnames).toEqual(["dev", undefined]);
});

it("the host name of a service is what production says, or stays where it keeps data", () => {
  const mounts = [{ volume: "data", path: "/data" }];
  const plan = planOf([
    service("dev"),
    mirrored("db", { mounts, mirror: { hostname: "db-0" } }),
    mirrored("queue", { mounts }),
    mirrored("web"),
    mirrored("proxy", { mounts, mirror: { partOf: "web", role: "sidecar", hostname: "other" } }),
    mirrored("odd", { mirror: { hostname: "a b\n10.0.0.1 web" } }),
    mirrored("called", { mirror: { hostname: "web" } }),
    mirrored("spaced", { mirror: { hostname: "workspace" } }),
    mirrored("own", { dedicatedPod: true }),
    service("tool", { dedicatedPod: true }),
  ]);
  expect(Object.fromEntries(podsOf(plan).map((pod) => [pod.alone, pod.hostname]))).toEqual({
    ...{ null: "workspace", db: "db-0", queue: "queue", web: "web", odd: null },
    ...{ called: null, spaced: null, own: null },
    tool: "tool",
  });
});

describe("the names of containers", () => {
  it("are never a sandbox's and a service's, or two services', at once", () => {
    const services = ["web", "web_sandbox", "web_", "_sandbox", "web_sandbox_"];
    const all = services.flatMap((name) => [names.member(owner, name), names.sandbox(owner, name)]);
    expect(new Set([...all, names.sandbox(owner, null)]).size).toBe(all.length + 1);
  });

  it("lead from a volume, or a folder of one, back to the plan's name of it", () => {
    expect(names.plannedVolume(owner, names.volume(owner, "data"))).toBe("data");
    expect(names.plannedVolume(owner, names.volumePart(owner, "data", "a/b"))).toBe("data");
    expect(names.plannedVolume(owner, names.anonymousVolume(owner, "db", "/d"))).toBeNull();
    expect(names.plannedVolume(owner, "oneloop-abcdefgh-supervisor-x")).toBeNull();
  });
});
