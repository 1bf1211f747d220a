import { on } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import { supervisorPort } from "../../../server/protocol/supervisor.ts";
import { Supervisors, type Target } from "../../../server/terminals/supervisors.ts";
import { TerminalService } from "../../../server/terminals/terminal-service.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  containerOf,
  hello,
  inside,
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { anyImages } from "./images.ts";

// A workspace with services in images that have little or nothing, as locked in as production's may
// be. Their own command is their first process, and it reaps nobody.
const lifetime = new Lifetime();
const owner: Owner = workspaceOwner();
const signer = new GrantSigner("the secret of these tests", { clock: systemClock, ids: randomIds });
let test: TestEngine;
let supervisors: Supervisors;
let devBoot: string;

const waiting = ["/.oneloop/bin/busybox", "sleep", "1000000"];
const memoryLimitBytes = 64 * 1024 * 1024;

/** By the service's name: the image, the user, and where it stands. */
const services = [
  { name: "busybox-root", kind: "musl", user: "0:0", dedicatedPod: false },
  { name: "busybox-any", kind: "musl", user: "12345:12345", dedicatedPod: false },
  { name: "empty-root", kind: "empty", user: "0:0", dedicatedPod: false },
  { name: "empty-any", kind: "empty", user: "12345:12345", dedicatedPod: true },
] as const;

beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
  const images = lifetime.own(await anyImages(test.installation));
  const plan = planOf([
    service("dev"),
    ...services.map(({ name, kind, user, dedicatedPod }) =>
      service(name, {
        image: images.names[kind],
        command: waiting,
        user,
        dedicatedPod,
        memoryLimitBytes,
        readOnlyRoot: true,
        env: { ROLE: name, ...(kind === "musl" ? { LD_PRELOAD: "/lib/marker.so" } : {}) },
      }),
    ),
  ]);
  const spec = { owner, name: "entered", plan };
  const { engine } = test;
  await Promise.all([engine.ensureStorage(spec, step()), engine.ensureSandbox(spec, step())]);
  const setup = { publicKey: signer.publicKey, env: {} };
  ({ boot: devBoot } = await engine.ensureMembers(spec, setup, step()));
  supervisors = new Supervisors(engine, signer);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const at = (name: string): Target => ({ owner, service: name, actor: "ada" });

/** Runs a line in a service, in the supervisor's own shell. */
async function sh(
  name: string,
  line: string,
  through = supervisors,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const argv = ["/.oneloop/bin/sh", "-c", line];
  const stream = await through.exec(at(name), { argv });
  const { exit, stdout, stderr } = await stream.collect();
  return { code: exit.code, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** The supervisor that is there, or one that is started for it. */
function entered(name: string, engine: Engine = test.engine): ReturnType<Engine["enterService"]> {
  const setup = { publicKey: signer.publicKey, idleMs: 600_000 };
  return engine.enterService({ owner, service: name }, setup, step());
}

describe.each(services)("in $name", ({ name, kind, user }) => {
  const uid = user.split(":")[0];

  it("runs a command as the service's user, with the service's environment", async () => {
    expect(await sh(name, "id -u; echo $ROLE $PWD; exit 3")).toEqual({
      code: 3,
      stdout: `${uid}\n${name} /\n`,
      stderr: "",
    });
  });

  it("has a shell on a terminal", async () => {
    const terminals = new TerminalService(supervisors, test.engine);
    const { id } = await terminals.create(at(name), { cols: 80, rows: 24 });
    expect(await terminals.listAll({ owner, actor: "ada" })).toContainEqual(
      expect.objectContaining({ id, service: name, running: true }),
    );
    await terminals.close(at(name), id);
  });

  it("answers sftp", async () => {
    const stream = await supervisors.exec(at(name), { argv: ["/.oneloop/libexec/sftp-server"] });
    // SSH_FXP_INIT, version 3: length, type 1, version; SSH_FXP_VERSION is type 2.
    const said: Buffer[] = [];
    const exit = new Promise((resolve) => {
      stream.listen({
        onStdout: (piece) => {
          said.push(Buffer.from(piece));
          // It ends with its input, also where it has not answered yet.
          stream.endInput();
        },
        onStderr: (piece) => said.push(Buffer.from(piece)),
        onExit: resolve,
      });
    });
    stream.write(Buffer.from([0, 0, 0, 5, 1, 0, 0, 0, 3]));
    await exit;
    expect(Buffer.concat(said)[4]).toBe(2);
  });

  it("gives what it starts the service's LD_PRELOAD, and not itself", async () => {
    const { stdout } = await sh(name, "echo $LD_PRELOAD");
    expect(stdout).toBe(kind === "musl" ? "/lib/marker.so\n" : "\n");
  });
});

it("is the kernel's first choice when memory ends, and the service its last", async () => {
  const { stdout } = await sh("empty-root", "cat /proc/self/oom_score_adj /proc/1/oom_score_adj");
  expect(stdout).toBe("1000\n0\n");
});

it("takes in what loses its parent: the service's own command reaps nobody", async () => {
  const made = await sh(
    "empty-root",
    "cd /.oneloop/run; mkfifo go; sh -c 'read _ < go' > /dev/null 2>&1 < /dev/null & echo $!",
  );
  const orphan = Number(made.stdout);
  const loop = `cd /.oneloop/run; echo > go; while [ -e /proc/${orphan} ]; do :; done; rm go`;
  expect(await sh("empty-root", `timeout 20 sh -c '${loop}'`)).toMatchObject({ code: 0 });
});

it("listens where only the host comes, beside the dev service's supervisor", async () => {
  const { address, boot } = await entered("busybox-root");
  expect(address.port).toBeGreaterThan(supervisorPort);
  expect(await hello(address)).toMatchObject({ workspace: owner.id, boot });
  expect(boot).not.toBe(devBoot);
  for (const host of ["localhost", "busybox-root", "dev", address.host]) {
    const dial = `timeout 5 bash -c 'exec 3<>/dev/tcp/${host}/${address.port}'`;
    const { output } = await inside(owner, "dev", ["sh", "-c", dial]);
    expect(output, host).toMatch(/Connection refused/);
  }
});

it("is the same for another control plane, which knows nothing of it", async () => {
  const first = await entered("busybox-any");
  const other = await test.another();
  expect(await entered("busybox-any", other)).toEqual(first);
  const theirs = new Supervisors(other, signer);
  expect((await sh("busybox-any", "echo $ROLE", theirs)).stdout).toBe("busybox-any\n");
});

it("is started again where it was killed, and whoever asks next gets there", async () => {
  const { boot } = await entered("empty-any");
  await sh("empty-any", "kill -9 $PPID").catch(() => undefined);
  expect((await sh("empty-any", "echo $ROLE")).stdout).toBe("empty-any\n");
  expect((await entered("empty-any")).boot).not.toBe(boot);
});

it("ends by itself when nobody uses it, and leaves the service as it was", async () => {
  const container = await containerOf(owner, "busybox-root");
  const filters = { container: [container], event: ["exec_die"] };
  const events = await docker.getEvents({ filters });
  const died = on(events, "data");
  // A supervisor that is there keeps its own time: first it has to go.
  await sh("busybox-root", "kill -9 $PPID").catch(() => undefined);
  await died.next();
  const setup = { publicKey: signer.publicKey, idleMs: 100 };
  const which = { owner, service: "busybox-root" };
  await test.engine.enterService(which, setup, step());
  await died.next();
  (events as unknown as { destroy: () => void }).destroy();
  const { members } = await test.engine.observe(owner);
  const member = members.find((each) => each.service === "busybox-root");
  expect(member).toMatchObject({ state: "running", entered: false });
});
