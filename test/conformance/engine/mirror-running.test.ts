import { describe, expect, it } from "vitest";
import type { Owner } from "../../../server/engine/steps.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import { docker, objectsWith } from "../../helpers/engine-objects.ts";
import { service } from "../../helpers/plans.ts";
import { containerOf, sandboxesOf, step } from "../../helpers/test-engine.ts";
import { mirrored } from "./mirrored.ts";
import { waiting } from "./suite.ts";
import { test, image, open, specOf, bring, shell } from "./mirror-rig.ts";

describe("a service that runs", () => {
  it("answers its checks, as its own user, and a check that hangs is ended", async () => {
    await using world = await open([
      mirrored("web", { image, command: waiting, user: "1000", env: { WORD: "said" } }),
    ]);
    const web = { owner: world.owner, service: "web" };
    const check = (...command: string[]): Promise<number> =>
      test.engine.execInService({ ...web, command }, step());
    await expect(check("true")).rejects.toMatchObject({ code: "workspace-not-running" });
    await world.start({ service: "web" });
    expect(await check("true")).toBe(0);
    expect(await check("sh", "-c", "exit 7")).toBe(7);
    expect(await check("sh", "-c", 'test "$(id -u) $WORD" = "1000 said"')).toBe(0);
    expect(await check("/no/such/program")).toBe(127);
    expect(await check("sh", "-c", "yes | head -c 10000000")).toBe(0);

    const cancelled = new AbortController();
    const hanging = test.engine.execInService(
      { ...web, command: ["sh", "-c", "sleep 4242 & echo > /tmp/began; wait"] },
      cancelled,
    );
    await shell(world.owner, "web", "until [ -e /tmp/began ]; do sleep 0.05; done");
    cancelled.abort();
    await expect(hanging).rejects.toMatchObject({ code: "cancelled" });
    // The engine tells it by closing the standard input, a moment later.
    await shell(world.owner, "web", "while pgrep -f 'sleep 4242$'; do sleep 0.05; done");

    await test.engine.stopService(web, { ...step(), graceMs: 5000 });
    const { members } = await test.engine.observe(world.owner);
    expect(members.find((one) => one.service === "web")).toMatchObject({
      state: "exited",
      exitCode: 0,
    });
    await test.engine.stopService(web, { ...step(), graceMs: 5000 });
    await expect(check("true")).rejects.toMatchObject({ code: "workspace-not-running" });
  });

  it("is left alone by the start of the workspace's own members, and starts with its sandbox", async () => {
    await using world = await open([mirrored("web", { image, command: waiting })]);
    await world.start({ service: "web" });
    const before = await containerOf(world.owner, "web");
    await bring(world.spec);
    expect(await containerOf(world.owner, "web")).toBe(before);
    await test.engine.stop(world.owner, { ...step(), graceMs: 1000 });
    await bring(world.spec);
    const stopped = (await test.engine.observe(world.owner)).members;
    expect(stopped.find((one) => one.service === "web")?.state).toBe("exited");
    expect(await world.start({ service: "web" })).toEqual({ started: true });
    expect(await containerOf(world.owner, "web")).toBe(before);
  });
});

describe("the sandbox of a service", () => {
  it("is made with its service, and its end is the service's alone", async () => {
    await using world = await open([mirrored("web", { image, command: waiting })]);
    const sandboxes = async (): Promise<string[]> =>
      (await objectsWith(`oneloop.workspace=${world.owner.id}`)).containers.filter((name) =>
        name.endsWith("_sandbox"),
      );
    expect(await sandboxes()).toHaveLength(1);
    await world.start({ service: "web" });
    expect(await sandboxes()).toHaveLength(2);
    const own = (await sandboxes()).find((name) => name.endsWith("-web_sandbox"));
    await docker.getContainer(own?.slice(1) ?? "none").kill();
    const seen = await test.engine.observe(world.owner);
    expect(seen.sandbox).toBe("running");
    const cutOff = seen.members.map(({ service: name, isCutOff = false }) => [name, isCutOff]);
    expect(Object.fromEntries(cutOff)).toEqual({ dev: false, web: true });
    for (const member of seen.members) {
      const which = { owner: world.owner, service: member.service };
      expect(await test.engine.observeService(which)).toEqual(member);
    }
    expect(await world.start({ service: "web" })).toEqual({ started: true });
    const again = await test.engine.observe(world.owner);
    expect(again.members.some(({ isCutOff }) => isCutOff === true)).toBe(false);
    expect(await shell(world.owner, "dev", "getent hosts web > /dev/null && echo found")).toBe(
      "found",
    );
  });
});

describe("a sandbox whose services have other names now", () => {
  it("is made again, as an interface that comes back has another name, and known by those alone", async () => {
    const ask = (owner: Owner): Promise<string> =>
      shell(owner, "web", "for n in db cache dev; do getent hosts $n >/dev/null && echo $n; done");
    const beside = (name: string): PlannedService[] => [
      service(name, { image, command: waiting }),
      mirrored("web", { image, command: waiting }),
    ];
    await using world = await open(beside("db"));
    await world.start({ service: "web" });
    const made = await sandboxesOf(world.owner);
    expect(await ask(world.owner)).toBe("db\ndev");
    const renamed = specOf(world.owner, beside("cache"));
    await test.engine.ensureSandbox(renamed, step());
    expect(await ask(world.owner)).toBe("cache\ndev");
    // A control plane that knows nothing of it finds them as they are.
    const later = await test.another();
    await later.ensureSandbox(renamed, step());
    const again = await sandboxesOf(world.owner);
    expect(again.filter((id) => made.includes(id))).toHaveLength(1);
    await later.ensureSandbox(specOf(world.owner, beside("db")), step());
    expect(await ask(world.owner)).toBe("db\ndev");
    await bring(world.spec);
    for (const name of ["dev", "web"]) {
      expect(await shell(world.owner, name, "ls /sys/class/net | sort | xargs")).toBe("eth0 lo");
    }
  });
});

describe("a network that a plan outgrows", () => {
  it("is made again with room for all, and its members with it", async () => {
    const more = Array.from({ length: 13 }, (_, index) =>
      mirrored(`s${index}`, { image, command: waiting }),
    );
    await using world = await open(more.slice(0, 1));
    await world.start({ service: "s0" });
    expect(await subnetOf(world.owner)).toMatch(/\/28$/);
    const grown = specOf(world.owner, more);
    await bring(grown);
    expect(await subnetOf(world.owner)).toMatch(/\/26$/);
    for (const name of ["s0", "s12"]) await world.start({ service: name }, grown);
    const resolve = "getent hosts s12 > /dev/null && getent hosts dev > /dev/null && echo found";
    expect(await shell(world.owner, "s0", resolve)).toBe("found");
    // A smaller plan keeps it.
    await bring(world.spec);
    expect(await subnetOf(world.owner)).toMatch(/\/26$/);
  });
});

async function subnetOf(owner: Owner): Promise<string> {
  const network = docker.getNetwork(`oneloop-${test.installation}-${owner.id}`);
  const { IPAM } = (await network.inspect()) as { IPAM?: { Config?: { Subnet?: string }[] } };
  return IPAM?.Config?.[0]?.Subnet ?? "";
}
