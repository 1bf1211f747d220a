import { describe, expect, it } from "vitest";
import { Names } from "../../../server/engine/docker/names.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import {
  haveSamePods,
  isGeneric,
  podsOf,
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

describe("isGeneric", () => {
  const others = (count: number): PlannedService[] =>
    Array.from({ length: count }, (_, at) => mirrored(`s${at}`));
  const standIn = service("dev", {
    mirror: { ...unsaidMirror, names: [{ name: "front-end", ports: [] }] },
  });

  it.each([
    ["one service", [service("dev")]],
    ["one that stands in for nothing", [service("dev", { mirror: unsaidMirror })]],
    ["services beside it", [service("dev"), service("db"), ...others(3)]],
    ["as many as a small network holds", [service("dev"), ...others(11)]],
    ["one that is called as the sandbox is", [service("workspace"), mirrored("db")]],
  ])("holds for %s", (_what, services) => {
    const plan = planOf(services as [PlannedService]);
    expect(isGeneric(plan)).toBe(true);
    expect(podsOf(plan)[0]?.hostname).toBe("workspace");
  });

  it.each([
    ["one that is called by a name of production", [standIn]],
    ["that beside others", [standIn, mirrored("db")]],
    ["more than a small network holds", [service("dev"), ...others(12)]],
    ["another that is called as the sandbox is", [service("dev"), mirrored("workspace")]],
    [
      "another's name of production that is",
      [service("dev"), mirrored("db", { mirror: { names: [{ name: "workspace", ports: [] }] } })],
    ],
    ["a dev service in a network of its own", [service("dev", { dedicatedPod: true })]],
    ["more than any network holds", [service("dev"), ...others(1000)]],
  ])("does not hold for %s", (_what, services) => {
    expect(isGeneric(planOf(services as [PlannedService]))).toBe(false);
  });
});

describe("haveSamePods", () => {
  const port = (targetPort: number) => ({ port: 80, targetPort, protocol: "tcp" as const });
  const db = mirrored("db", { mirror: { names: [{ name: "sql", ports: [port(8080)] }] } });
  const shop = planOf([service("dev"), db, mirrored("mail")]);

  it("holds for what differs in nothing that a sandbox is made from", () => {
    const image = "other:2";
    const others = [{ ...db, image, env: { A: "b" } }, mirrored("mail", { image })];
    expect(haveSamePods(shop, planOf([service("dev", { image }), ...others]))).toBe(true);
  });

  it("does not hold for another name, port, or set of services", () => {
    const named = (name: string, targetPort: number): PlannedService =>
      mirrored("db", { mirror: { names: [{ name, ports: [port(targetPort)] }] } });
    const mail = mirrored("mail");
    for (const services of [
      [named("other", 8080), mail],
      [named("sql", 8090), mail],
      [db],
      [db, mail, mirrored("web")],
      [db, service("mail")],
      [db, service("mail", { dedicatedPod: true })],
    ]) {
      expect(haveSamePods(shop, planOf([service("dev"), ...services]))).toBe(false);
    }
    const standIn = service("dev", {
      mirror: { ...unsaidMirror, names: [{ name: "web", ports: [] }] },
    });
    expect(haveSamePods(shop, planOf([standIn, db, mail]))).toBe(false);
  });
});

describe("sandboxOptions", () => {
  it("has all names of its services once, and a host name that the kernel takes", () => {
    const long = "n".repeat(100);
    const plan = planOf([
      service("dev"),
      mirrored(long, {
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
  expect(hostnames).toEqual(["dev", "workspace"]);
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
