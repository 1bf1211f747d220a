import { Readable } from "node:stream";
import { expect, it } from "vitest";
import type { EngineEvent, Preparation } from "../../../server/engine/engine.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import { containerOf, sandboxesOf, step, workspaceOwner } from "../../helpers/test-engine.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { mirrored } from "./mirrored.ts";
import { image, open, shell, specOf, tarOf, test } from "./mirror-rig.ts";
import { waiting } from "./suite.ts";

// Sandboxes that were made ahead for one mirror serve the same again, those for none any other.

const web = (name: string, more: Parameters<typeof mirrored>[1] = {}): PlannedService =>
  mirrored(name, { image, command: waiting, ...more });

function others(...names: string[]): Preparation {
  const { plan } = specOf(
    workspaceOwner(),
    names.map((name) => web(name)),
  );
  return { like: plan, spares: 0 };
}

/** Of these names those that resolve in a service. */
async function resolving(owner: Owner, ...names: string[]): Promise<string[]> {
  const line = `for n in ${names.join(" ")}; do getent hosts $n >/dev/null && echo $n; done; true`;
  return (await shell(owner, "dev", line)).split("\n").filter((name) => name !== "");
}

/** The interfaces that a service sees, in order. */
function interfaces(owner: Owner, service: string): Promise<string> {
  return shell(owner, service, "ls /sys/class/net | sort | xargs");
}

async function sandboxOf(owner: Owner, service: string): Promise<string> {
  const { HostConfig } = await docker.getContainer(await containerOf(owner, service)).inspect();
  return HostConfig.NetworkMode?.replace("container:", "") ?? "";
}

it("they get its names, and what it has no use for is removed", async () => {
  const port = { port: 80, targetPort: 8080, protocol: "tcp" as const };
  const services = [
    web("b"),
    web("c"),
    web("moved", { mirror: { names: [{ name: "moved", ports: [port] }] } }),
    web("keeps", { mounts: [{ volume: "data", path: "/data" }] }),
  ];
  const ahead = { ...others("a", "b"), spares: 3 };
  await using world = await open(services, { volumes: ["data"], ahead: () => ahead });
  const { owner, spec, made } = world;
  expect(made).toHaveLength(6);
  expect(test.engine.countPrepared(spec.plan, ahead)).toBe(3);
  for (const { name } of services) await world.start({ service: name });
  const used = await Promise.all(
    ["dev", "b", "c", "moved", "keeps"].map((name) => sandboxOf(owner, name)),
  );
  expect(made).toEqual(expect.arrayContaining(used.slice(0, 3)));
  for (const own of used.slice(3)) expect(made).not.toContain(own);
  await expect.poll(() => sandboxesOf(owner), { timeout: 30_000 }).toHaveLength(5);
  expect(await sandboxesOf(owner)).toEqual(expect.arrayContaining(used));
  expect(await resolving(owner, "a", "b", "c", "spare-1", "spare-2", "moved", "keeps")).toEqual([
    ...["b", "c", "moved", "keeps"],
  ]);
  // What is kept under a host name is found under it again; others have one as the engine makes it up.
  expect(await shell(owner, "keeps", "hostname")).toBe("keeps");
  expect(await shell(owner, "c", "hostname")).toMatch(/^[0-9a-f]{12}$/);
  for (const name of ["dev", "b", "c", "keeps"]) {
    expect(await interfaces(owner, name)).toBe("eth0 lo");
    expect(await shell(owner, name, "getent hosts $(hostname)")).toMatch(/^10\./);
  }
  const { sandbox, members } = await test.engine.observe(owner);
  expect(sandbox).toBe("running");
  expect(members.filter(({ isCutOff }) => isCutOff === true)).toEqual([]);
});

it("nobody hears of the change, and each end is told as its service's", async () => {
  const watching = new AbortController();
  const seen: EngineEvent[] = [];
  const ahead = { like: null, spares: 3 };
  await using world = await open([web("b"), web("c")], { ahead: () => ahead });
  const { owner } = world;
  const events = (async () => {
    for await (const event of test.engine.watch(watching.signal)) {
      if (event.owner.id === owner.id) seen.push(event);
    }
  })();
  for (const name of ["b", "c"]) {
    await test.engine.ensureSandbox(world.spec, { ...step(), service: name });
  }
  await expect.poll(() => sandboxesOf(owner), { timeout: 30_000 }).toHaveLength(3);
  expect(await resolving(owner, "b", "c", "spare-1", "spare-2", "spare-3")).toEqual(["b", "c"]);
  await world.start({ service: "c" });
  await docker.getContainer(await sandboxOf(owner, "c")).kill();
  await expect.poll(() => seen.map(({ kind }) => kind), { timeout: 30_000 }).toContain("died");
  watching.abort();
  await events;
  expect(seen[0]).toMatchObject({ service: "c", kind: "died" });
});

it("what is of one mirror alone is removed, whatever made it so", async () => {
  const port = { port: 80, targetPort: 8080, protocol: "tcp" as const };
  const theirs = specOf(workspaceOwner(), [
    web("moved", { mirror: { names: [{ name: "moved", ports: [port] }] } }),
    web("keeps", { mounts: [{ volume: "data", path: "/data" }] }),
    web("same", { mirror: { hostname: "same" } }),
    web("a"),
  ]);
  const ahead = { like: theirs.plan, spares: 1 };
  const services = [web("b"), web("same", { mirror: { hostname: "same" } })];
  await using world = await open(services, { ahead: () => ahead });
  expect(world.made).toHaveLength(6);
  for (const name of ["b", "same"]) await world.start({ service: name });
  await expect.poll(() => sandboxesOf(world.owner), { timeout: 30_000 }).toHaveLength(3);
  expect(await resolving(world.owner, "moved", "keeps", "a", "b", "same")).toEqual(["b", "same"]);
  for (const name of ["b", "same"]) {
    expect(world.made).toContain(await sandboxOf(world.owner, name));
  }
});

it("what a killed control plane left of them is removed by the next", async () => {
  const ahead = { like: null, spares: 3 };
  await using world = await open([web("b")], { ahead: () => ahead });
  expect(await sandboxesOf(world.owner)).toHaveLength(4);
  const later = await test.another();
  await later.ensureSandbox(world.spec, step());
  await later.ensureSandbox(world.spec, { ...step(), service: "b" });
  await expect.poll(() => sandboxesOf(world.owner), { timeout: 30_000 }).toHaveLength(2);
  await world.start({ service: "b" });
  expect(await resolving(world.owner, "b", "spare-1", "spare-2", "spare-3")).toEqual(["b"]);
});

it("a service has one, however often it is asked for at once", async () => {
  const ahead = { like: null, spares: 2 };
  await using world = await open([web("b"), web("c")], { ahead: () => ahead });
  const asked = ["b", "b", "c", "b"].map((service) =>
    test.engine.ensureSandbox(world.spec, { ...step(), service }),
  );
  await Promise.all(asked);
  expect(await sandboxesOf(world.owner)).toEqual(world.made);
  expect(await resolving(world.owner, "b", "c")).toEqual(["b", "c"]);
});

it.each([
  ["several", { like: null, spares: 0, several: true as const }, true],
  ["one", { like: null, spares: 0 }, false],
])(
  "a workspace of several services has its interface and names where one of %s was made",
  async (...[, ahead, kept]) => {
    await using world = await open([web("b", { dedicatedPod: true })], { ahead: () => ahead });
    await world.start({ service: "b" });
    expect(world.made).toHaveLength(1);
    expect(world.made.includes(await sandboxOf(world.owner, "dev"))).toBe(kept);
    for (const name of ["dev", "b"]) expect(await interfaces(world.owner, name)).toBe("eth0 lo");
    expect(await resolving(world.owner, "dev", "b")).toEqual(["dev", "b"]);
  },
);

it("the network where they wait is there as long as somebody waits", async () => {
  const isThere = async (): Promise<boolean> => {
    const name = [`oneloop-${test.installation}_waiting`];
    return (await docker.listNetworks({ filters: { name } })).length > 0;
  };
  const end = async (): Promise<void> => (await test.another())[Symbol.asyncDispose]();
  await using world = await open([web("b")], { ahead: () => ({ like: null, spares: 1 }) });
  await end();
  expect(await isThere()).toBe(true);
  await world.start({ service: "b" });
  await end();
  expect(await isThere()).toBe(false);
});

it("a build runs in the workspace's own", async () => {
  const ahead = { like: null, spares: 2 };
  await using world = await open([web("b")], { ahead: () => ahead });
  const said: string[] = [];
  // Not from what was built before.
  const line = `RUN : ${world.owner.id}; echo "it is $(hostname)"`;
  const archive = Readable.from(await tarOf({ Dockerfile: `FROM ${image}\n${line}\n` }));
  const request = { archive, dockerfile: "Dockerfile", args: {}, target: null };
  await test.engine.buildImage(
    { ...request, owner: world.owner },
    { ...step(), onProgress: (progress) => said.push(progress) },
  );
  expect(said.join("\n")).toContain("it is workspace");
});

it("a plan that grows is served by what others were made for, and then by its own", async () => {
  const ahead = { like: null, spares: 1 };
  await using world = await open([web("b"), web("c")], { ahead: () => ahead });
  const [b, c] = await Promise.all(
    ["b", "c"].map(async (service) => {
      await world.start({ service });
      return sandboxOf(world.owner, service);
    }),
  );
  expect(world.made).toHaveLength(2);
  expect([b, c].filter((id) => world.made.includes(id ?? ""))).toHaveLength(1);
  expect(await resolving(world.owner, "b", "c")).toEqual(["b", "c"]);
});
