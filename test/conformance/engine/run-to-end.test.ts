import { createServer } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Owner, WorkspaceSpec } from "../../../server/engine/steps.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { listening } from "../../helpers/listening.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { startSilentEngine } from "../../helpers/silent-engine.ts";
import {
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";

const lifetime = new Lifetime();
let test: TestEngine;
let owner: Owner;
let spec: WorkspaceSpec;

beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
  owner = workspaceOwner();
  const plan = planOf([service("dev")], [{ name: "data", sizeBytes: null, ephemeral: false }]);
  spec = { owner, name: "once", plan };
  await test.engine.ensureStorage(spec, step());
  await test.engine.ensureSandbox(spec, step());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

function run(line: string, more: Partial<PlannedService> = {}, options = step()) {
  // Named as the dev service is: it is another container all the same.
  const once = service("dev", { command: ["sh", "-c", line], sourcePath: null, ...more });
  return test.engine.runToEnd(spec, { name: "init", service: once }, options);
}

async function jobs(): Promise<number> {
  const filters = { label: [`oneloop.workspace=${owner.id}`, "oneloop.role=job"] };
  return (await docker.listContainers({ all: true, filters })).length;
}

it("a container runs to its end with its variables, user, limits and volumes, and is gone", async () => {
  const mounts = [{ volume: "data", path: "/data" }];
  const line =
    'id -u; echo "$A"; cat /sys/fs/cgroup/memory/memory.limit_in_bytes; pwd; echo kept > /data/x; exit 3';
  const settings = { env: { A: "b c" }, memoryLimitBytes: 96 * 1024 ** 2, user: "0", mounts };
  const { exitCode, output } = await run(line, settings);
  expect([exitCode, ...output.split("\n").slice(0, 3)]).toEqual([3, "0", "b c", "100663296"]);
  expect(
    (await run("cat /data/x; ls /workspace", { mounts, sourcePath: "/workspace" })).output,
  ).toBe("kept\n");
  expect(await jobs()).toBe(0);
  expect((await test.engine.observe(owner)).members).toEqual([]);
});

it("its end is seen where the question for it comes after it", async () => {
  await using way = await startSilentEngine("/var/run/docker.sock", /^POST \S*\/wait/);
  await using other = await startTestEngine({ dockerHost: way.url });
  const mine = { ...spec, owner: workspaceOwner() };
  await other.engine.ensureStorage(mine, step());
  await other.engine.ensureSandbox(mine, step());
  const which = {
    name: "init",
    service: service("dev", { command: ["sh", "-c", "exit 3"], sourcePath: null }),
  };
  const options = { signal: AbortSignal.timeout(10_000) };
  expect((await other.engine.runToEnd(mine, which, options)).exitCode).toBe(3);
});

it("has the workspace's network with its rules, and no raw sockets", async () => {
  const server = createServer((_, response) => response.end("reached"));
  await using host = await listening(server);
  const [network] = await docker.listNetworks({
    filters: { label: [`oneloop.workspace=${owner.id}`] },
  });
  const gateway = network?.IPAM?.Config?.[0]?.["Gateway"] ?? "";
  const { output } = await run(
    [
      "cat /proc/net/dev | grep -c eth0",
      `timeout 5 bash -c 'cat < /dev/tcp/${gateway}/${host.port}' 2>&1 || echo refused`,
      "grep CapBnd /proc/self/status",
    ].join("; "),
  );
  expect(output).toMatch(/^1\n/);
  expect(output).toContain("refused");
  const bounding = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(output)?.[1] ?? ""}`);
  // capabilities(7): NET_RAW is bit 13, MKNOD 27, NET_ADMIN 12.
  for (const bit of [12n, 13n, 27n]) expect((bounding >> bit) & 1n).toBe(0n);
});

it("of a long output the end is given", async () => {
  const { output } = await run("seq 1 100000; echo the end");
  expect(output.length).toBeLessThanOrEqual(4096);
  expect(output).toMatch(/\n100000\nthe end\n$/);
  expect((await run("echo what went wrong >&2")).output).toBe("what went wrong\n");
});

it("ends when it is cancelled, and leaves nothing", async () => {
  const cancel = new AbortController();
  const running = run("sleep 600", {}, { signal: cancel.signal });
  await expect.poll(jobs, { timeout: 20_000 }).toBe(1);
  cancel.abort();
  await expect(running).rejects.toMatchObject({ code: "cancelled" });
  expect(await jobs()).toBe(0);
});

it("what is not there is said: an image, a program, a network", async () => {
  await expect(run("true", { image: "oneloop-test/none:1" })).rejects.toMatchObject({
    code: "image-unavailable",
  });
  await expect(run("true", { command: ["/no/program"] })).rejects.toMatchObject({
    code: "engine-failed",
  });
  expect(await jobs()).toBe(0);
  await test.engine.stop(owner, { ...step(), graceMs: 0 });
  await expect(run("true")).rejects.toThrow(/sandbox of dev does not run/);
});
