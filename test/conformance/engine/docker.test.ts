import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Names } from "../../../server/engine/docker/names.ts";
import { subnetCandidates, type Subnet } from "../../../server/engine/docker/subnets.ts";
import type { Job, JobResult } from "../../../server/engine/jobs.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { systemExecer } from "../../../server/util/execer.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { docker, objectsWith } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  hello,
  inside,
  startTestEngine,
  step,
  testSubnets,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { waiting } from "./suite.ts";

let test: TestEngine;
beforeAll(async () => {
  test = await startTestEngine();
});
afterAll(() => test[Symbol.asyncDispose]());

/** The engine's answer has more than its client's types say. */
interface NetworkInfo {
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] };
}

const setup = { publicKey: "key", env: {} };

async function open(owner: Owner, plan: WorkspacePlan, from = test): Promise<string> {
  const spec = { owner, name: "kept", plan };
  await Promise.all([
    from.engine.ensureStorage(spec, step()),
    from.engine.ensureSandbox(spec, step()),
  ]);
  const { address, boot } = await from.engine.ensureMembers(spec, setup, step());
  // It answers, and is the one that the engine said.
  expect(await hello(address)).toMatchObject({ workspace: owner.id, boot });
  return boot;
}

function plan(): WorkspacePlan {
  const { workspace: image } = test.images;
  return planOf(
    [
      service("dev", { image, mounts: [{ volume: "scratch", path: "/scratch" }] }),
      service("db", { image, command: waiting, mounts: [{ volume: "data", path: "/data" }] }),
    ],
    [
      { name: "data", sizeBytes: null, ephemeral: false },
      { name: "scratch", sizeBytes: null, ephemeral: true },
    ],
  );
}

async function shell(owner: Owner, name: string, script: string): Promise<string> {
  const { exitCode, output } = await inside(owner, name, ["sh", "-ec", script]);
  expect(exitCode, output).toBe(0);
  return output.trim();
}

describe("storage", () => {
  it("keeps source, home, the plan's volumes and the containers' own files over a stop", async () => {
    const owner = workspaceOwner();
    await open(owner, plan());
    await shell(owner, "dev", "for f in /workspace/f /home/dev/f /scratch/f; do echo x > $f; done");
    await shell(owner, "db", "echo x > /data/f; echo x > /etc/f");
    await test.engine.stop(owner, { ...step(), graceMs: 1000 });
    await open(owner, plan());
    expect(await shell(owner, "dev", "cat /workspace/f /home/dev/f")).toBe("x\nx");
    expect(await shell(owner, "db", "cat /data/f /etc/f")).toBe("x\nx");
    // An ephemeral volume begins empty at each start.
    expect(await shell(owner, "dev", "ls /scratch")).toBe("");
    await test.engine.remove(owner, { ...step(), storage: true });
  });

  it("gives the image's user a home, and the supervisor a folder that only that user enters", async () => {
    const owner = workspaceOwner();
    const facts = await test.engine.ensureImage(test.images.workspace, step());
    expect(facts).toMatchObject({
      user: { uid: 1000, gid: 1000, name: "dev" },
      home: "/home/dev",
      shell: "/bin/bash",
    });
    await open(owner, plan());
    expect(await shell(owner, "dev", "stat -c '%u %a' /home/dev /.oneloop/run")).toBe(
      `1000 ${await shell(owner, "dev", "stat -c %a /home/dev")}\n1000 700`,
    );
    await expect(shell(owner, "dev", "touch /.oneloop/f")).rejects.toThrow(/Read-only/);
    await test.engine.remove(owner, { ...step(), storage: true });
  });

  it("leaves nothing of a removed workspace, and everything of other installations", async () => {
    await using neighbour = await startTestEngine();
    const owner = workspaceOwner();
    await Promise.all([open(owner, plan()), open(owner, plan(), neighbour)]);
    const theirs = await objectsWith(`oneloop.installation=${neighbour.installation}`);
    await test.engine.remove(owner, { ...step(), storage: true });
    const left = await objectsWith(`oneloop.workspace=${owner.id}`);
    const names = [...left.containers, ...left.networks, ...left.volumes];
    expect(names.filter((name) => !name.includes(neighbour.installation))).toEqual([]);
    expect(await objectsWith(`oneloop.installation=${neighbour.installation}`)).toEqual(theirs);
    expect(await neighbour.engine.owners()).toEqual([owner]);
  });
});

describe("a network", () => {
  it("is none that a bridge still has which a killed engine left, but the owner's own", async () => {
    for (const own of [false, true]) {
      const owner = workspaceOwner();
      const names = new Names(test.installation);
      const [first] = subnetCandidates(testSubnets, names.network(owner));
      if (first === undefined) throw new Error("the range has networks");
      const name = own
        ? names.bridge(names.network(owner))
        : `ws-${randomBytes(6).toString("hex")}`;
      await using _left = await leaveBridge(name, first);
      await open(owner, plan());
      const { IPAM } = (await docker.getNetwork(names.network(owner)).inspect()) as NetworkInfo;
      expect(IPAM?.Config?.[0]?.Subnet === first.subnet).toBe(own);
      await test.engine.remove(owner, { ...step(), storage: true });
    }
  });
});

describe("repair", () => {
  it("starts members again whose sandbox was started again", async () => {
    const owner = workspaceOwner();
    const first = await open(owner, plan());
    const sandbox = (await objectsWith(`oneloop.workspace=${owner.id}`)).containers.find((name) =>
      name.endsWith("_sandbox"),
    );
    await docker.getContainer(sandbox?.slice(1) ?? "").restart({ t: 1 });
    expect(await open(owner, plan())).not.toBe(first);
    await test.engine.remove(owner, { ...step(), storage: true });
  });

  it("goes on over a container that a killed run left half made", async () => {
    const owner = workspaceOwner();
    await test.engine.ensureStorage({ owner, name: "kept", plan: plan() }, step());
    await docker.createContainer({
      name: `oneloop-${test.installation}-${owner.id}-db`,
      Image: test.images.helper,
      Labels: { "oneloop.installation": test.installation, "oneloop.workspace": owner.id },
    });
    await open(owner, plan());
    const { members } = await test.engine.observe(owner);
    expect(members.map(({ state }) => state)).toEqual(["running", "running"]);
    await test.engine.remove(owner, { ...step(), storage: true });
  });

  it("makes the network again when somebody removed it from a stopped workspace", async () => {
    const owner = workspaceOwner();
    await open(owner, plan());
    await test.engine.stop(owner, { ...step(), graceMs: 1000 });
    await docker.getNetwork(`oneloop-${test.installation}-${owner.id}`).remove();
    await open(owner, plan());
    await test.engine.remove(owner, { ...step(), storage: true });
  });

  it("ends the job of a killed control plane before the next one begins", async () => {
    const owner = workspaceOwner();
    const killed = await test.another();
    const abandoned = killed.runJob(job({ owner, command: ["sleep", "600"] }), step());
    const ended = abandoned.catch(() => null);
    await untilRunning(owner);
    expect((await test.engine.observe(owner)).leftovers).toHaveLength(1);
    await test.engine.ensureStorage({ owner, name: "kept", plan: plan() }, step());
    expect((await test.engine.observe(owner)).leftovers).toEqual([]);
    await ended;
    await test.engine.remove(owner, { ...step(), storage: true });
  });
});

describe("a sandbox that cannot set its rules", () => {
  it("starts no workspace, and tells the operator why", async () => {
    await using broken = await helperWithoutFilter();
    await using refusing = await startTestEngine({ helperImage: broken.image });
    const owner = workspaceOwner();
    await expect(open(owner, plan(), refusing)).rejects.toMatchObject({
      code: "isolation-unavailable",
      cause: { message: expect.stringContaining("iptables: no such table") },
    });
    const { members } = await refusing.engine.observe(owner);
    expect(members).toEqual([]);
    // A sandbox made ahead is refused for the same reason.
    const preparation = { like: null, spares: 0 };
    await expect(
      refusing.engine.prepareSandboxes(workspaceOwner(), { ...step(), preparation }),
    ).rejects.toMatchObject({ code: "isolation-unavailable" });
  });

  it("starts it all the same where the operator said ONELOOP_ISOLATION=off", async () => {
    await using broken = await helperWithoutFilter();
    await using trusting = await startTestEngine({ helperImage: broken.image, isolation: "off" });
    await open(workspaceOwner(), plan(), trusting);
  });
});

describe("a job", () => {
  const owner = workspaceOwner();
  afterAll(() => test.engine.remove(owner, { ...step(), storage: true }));

  const run = (change: Partial<Job>): Promise<JobResult> =>
    test.engine.runJob(job({ owner, ...change }), step());
  const sh = (script: string, change: Partial<Job> = {}): Promise<JobResult> =>
    run({ command: ["sh", "-c", script], ...change });

  it("gives both outputs apart, and the exit status", async () => {
    expect(await sh('echo "out $X"; echo err >&2; exit 3', { env: { X: "y" } })).toEqual({
      exitCode: 3,
      stdout: "out y\n",
      stderr: "err\n",
    });
  });

  it("cuts output at the limit, and still ends", async () => {
    const { stdout, exitCode } = await sh("head -c 1000000 /dev/zero | tr '\\0' x", {
      maxOutputBytes: 1000,
    });
    expect(stdout).toBe("x".repeat(1000));
    expect(exitCode).toBe(0);
  });

  it("has no network, no capability, and a root that it cannot write", async () => {
    const { stdout } = await sh(
      "ls /sys/class/net; grep CapBnd /proc/self/status; touch /f 2>&1; touch /tmp/f && echo tmp",
    );
    expect(stdout).toMatch(/^lo\nCapBnd:\s*0+\n.*Read-only file system\ntmp\n$/);
  });

  it("has the capabilities and the user that it asks for", async () => {
    const root = await sh("chown 1234 /v && stat -c %u /v", {
      capabilities: ["CHOWN"],
      mounts: [{ kind: "volume", owner, volume: "source", path: "/v", readOnly: false }],
    });
    expect(root).toMatchObject({ exitCode: 0, stdout: "1234\n" });
    expect((await sh("id -u; id -g", { user: { uid: 77, gid: 88 } })).stdout).toBe("77\n88\n");
  });

  it("makes a missing volume as its owner's, and honours read-only", async () => {
    const volume = { kind: "volume", owner, volume: "made", path: "/v" } as const;
    await sh("echo kept > /v/f", { mounts: [{ ...volume, readOnly: false }] });
    expect((await test.engine.observe(owner)).volumes).toContain("made");
    const again = await sh("cat /v/f; echo more >> /v/f", {
      mounts: [{ ...volume, readOnly: true }],
    });
    expect(again).toMatchObject({ stdout: "kept\n", exitCode: 2 });
  });

  it("reads a folder of the host, and cannot write it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "oneloop-job-"));
    await writeFile(join(folder, "f"), "host\n");
    const mounts = [{ kind: "host", hostPath: folder, path: "/local" }] as const;
    expect(await sh("cat /local/f; touch /local/g", { mounts })).toMatchObject({
      stdout: "host\n",
      exitCode: 1,
    });
    await rm(folder, { recursive: true });
  });

  it("is ended after its time, and leaves no container", async () => {
    const late = run({ command: ["sleep", "600"], timeoutMs: 500 });
    await expect(late).rejects.toMatchObject({ code: "deadline-exceeded" });
    const cancelled = new AbortController();
    const running = test.engine.runJob(job({ owner, command: ["sleep", "600"] }), cancelled);
    await Promise.all([
      expect(running).rejects.toMatchObject({ code: "cancelled" }),
      untilRunning(owner).then(() => cancelled.abort()),
    ]);
    expect((await objectsWith(`oneloop.workspace=${owner.id}`)).containers).toEqual([]);
  });
});

/** A bridge that no network of the engine has, as it stands in the kernel when its engine is gone. */
async function leaveBridge(name: string, { subnet, gateway }: Subnet): Promise<AsyncDisposable> {
  const ip = async (...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await systemExecer.run("ip", args);
    if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  };
  await ip("link", "add", name, "type", "bridge");
  await ip("address", "add", `${gateway}/${subnet.split("/")[1]}`, "dev", name);
  await ip("link", "set", name, "up");
  return { [Symbol.asyncDispose]: () => ip("link", "delete", name) };
}

function job(change: Partial<Job> & { owner: Owner }): Job {
  return {
    name: "probe",
    image: "helper",
    command: ["true"],
    mounts: [],
    timeoutMs: 30_000,
    ...change,
  };
}

/** Waits for the engine's own word that a job of this owner runs. */
async function untilRunning(owner: Owner): Promise<void> {
  const events = await docker.getEvents({
    since: Math.floor(Date.now() / 1000) - 5,
    filters: { type: ["container"], event: ["start"], label: [`oneloop.workspace=${owner.id}`] },
  });
  for await (const chunk of events) {
    if (String(chunk).includes('"oneloop.role":"job"')) {
      const jobs = (await objectsWith(`oneloop.workspace=${owner.id}`)).containers;
      if (jobs.length > 0) return;
    }
  }
}

/** The helper image as on a kernel that has no packet filter. */
async function helperWithoutFilter(): Promise<AsyncDisposable & { image: string }> {
  const script = "#!/bin/sh\necho 'iptables: no such table' >&2\nexit 3\n";
  const programs = ["iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"];
  const image = `oneloop-test/helper:${randomIds.id()}`;
  const context = pack();
  context.entry(
    { name: "Dockerfile" },
    // Before the real ones in the path that the engine sets by default.
    `FROM ${test.images.helper}\nCOPY bin/ /usr/local/sbin/\n`,
  );
  for (const program of programs) {
    context.entry({ name: `bin/${program}-restore`, mode: 0o755 }, script);
  }
  context.finalize();
  const building = await docker.buildImage(Readable.from(context), { t: image });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(building, (error) => (error === null ? resolve() : reject(error)));
  });
  return {
    image,
    [Symbol.asyncDispose]: async () => {
      await docker.getImage(image).remove({ force: true });
    },
  };
}
