import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../../server/db/workspaces.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { Poke } from "../../../server/util/poke.ts";
import { ownerOf, Reconciler } from "../../../server/workspaces/reconciler.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { root } from "../../helpers/installation.ts";
import { listening } from "../../helpers/listening.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { machineAddress } from "../../helpers/ports.ts";
import { throwawayPostgres } from "../../helpers/postgres.ts";
import { untilEvent, untilRow, type Rows } from "../../helpers/rows.ts";
import {
  containerOf,
  inside,
  startTestEngine,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { waiting } from "../engine/suite.ts";

/** What the user waits at most to be told. */
const toldMs = 2000;
/** Of the dev service: the supervisor needs 60 MB of it. */
const devBytes = 192 * 1024 ** 2;
const hogBytes = 32 * 1024 ** 2;

/** Takes memory until it is ended. */
const hog = ["python3", "-c", "a = []\nwhile True: a.append(bytearray(1 << 20))"] as const;

/** Waits, and becomes the hog at USR1. */
const sleeper = [
  "sh",
  "-c",
  `trap 'exit 0' TERM; trap 'exec python3 -c "$HOG"' USR1; while :; do sleep 9 & wait $!; done`,
];

/** In a shell of the dev service: the supervisor is the only child of its init. */
const supervisorPid = "$(cat /proc/1/task/1/children)";

const lifetime = new Lifetime();
let test: TestEngine;
let rows: Rows;
let reconciler: Reconciler;
let row: WorkspaceRow;
/** Listeners on this machine: one that workspaces may reach, and one that they may not. */
let allowedPort: number;
let refusedPort: number;

beforeAll(async () => {
  const log = createLog({ level: "silent" });
  const postgres = lifetime.own(await throwawayPostgres());
  await applyMigrations(postgres.url, join(root, "migrations"));
  const database = lifetime.own(await Database.connect(postgres.url, log));
  const store = new WorkspaceStore(database);
  rows = { database, store };
  const { id: ownerId } = await new AccountStore(database).ensureOwner({ id: "ada", name: "ada" });
  await store.ensureMachine({ id: "local", name: "this machine", engine: "docker" });
  [allowedPort, refusedPort] = [await greeter(), await greeter()];
  const allowNet = [`${machineAddress()}:${allowedPort}`];
  test = lifetime.own(await startTestEngine({ allowNet }));
  const { engine, images } = test;
  const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
  reconciler = lifetime.own(
    new Reconciler({
      store,
      engine,
      supervisors: new Supervisors(engine, signer),
      signer,
      log,
      holder: "one",
      inside: {
        tellSetup: async () => undefined,
        running: () => undefined,
        ended: async () => undefined,
      },
      environmentOf: () => ({ env: {} }),
      archive: () => Promise.reject(new Error("nothing is built here")),
    }),
  );
  const image = images.workspace;
  const made = await store.insert({
    id: randomIds.id(),
    name: "deaths",
    ownerId,
    machineId: "local",
    contextUrl: "https://git.example/deaths.git",
    repository: "https://git.example/deaths.git",
    ref: "refs/heads/main",
    commit: "0".repeat(40),
    plan: planOf([
      service("dev", { image, memoryLimitBytes: devBytes }),
      service("db", { image, command: waiting }),
      service("hog", {
        image,
        command: sleeper,
        env: { HOG: hog[2] },
        memoryLimitBytes: hogBytes,
      }),
    ]),
  });
  if (made === null) throw new Error("the workspace was not inserted");
  row = made;
  await reconciler.start();
  await started();
  await inside(ownerOf(row), "dev", ["sh", "-c", "echo kept > /workspace/f"]);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** On every address of this machine. */
async function greeter(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("reached\n");
  });
  return lifetime.own(await listening(server, { host: "0.0.0.0" })).port;
}

/** What a service's root has of the two listeners. */
async function reached(name: string): Promise<string> {
  const dials = [allowedPort, refusedPort].map(
    (port) =>
      `timeout 5 bash -c 'cat < /dev/tcp/${machineAddress()}/${port}' 2> /dev/null || echo not`,
  );
  const { output } = await inside(ownerOf(row), name, ["bash", "-c", dials.join("; ")]);
  return output.trim().replaceAll("\n", ", ");
}

const started = (): Promise<unknown> =>
  untilRow(rows, row.id, { wanted: (now) => now?.state === "running", ms: 60_000 });

const failedSoon = (): Promise<WorkspaceRow | null> =>
  untilRow(rows, row.id, { wanted: (now) => now?.state === "failed", ms: toldMs });

/** As `loop start` does; resolves when it runs, with all that it had. */
async function start(): Promise<void> {
  await rows.store.setDesired(row.id, "running");
  reconciler.kick(row.id, { interrupt: true });
  await reconciler.settled(row.id);
  await started();
  const { sandbox, members } = await test.engine.observe(ownerOf(row));
  expect([sandbox, ...members.map(({ state }) => state)]).toEqual(Array(4).fill("running"));
  expect((await inside(ownerOf(row), "dev", ["cat", "/workspace/f"])).output.trim()).toBe("kept");
}

/** Events from now on. */
async function nextEvent(code: string): Promise<(ms?: number) => Promise<string>> {
  const after = (await rows.store.eventsAfter(row.id, 0)).at(-1)?.id ?? 0;
  return (ms = toldMs) => untilEvent(rows, row.id, { code, after, ms });
}

async function untilEvents(wanted: (messages: string[]) => boolean): Promise<void> {
  const poke = new Poke();
  using _changes = rows.database.onChange(() => poke.poke());
  const signal = AbortSignal.timeout(toldMs);
  for (;;) {
    const messages = (await rows.store.eventsAfter(row.id, 0)).map(({ message }) => message);
    if (wanted(messages)) return;
    if (!(await poke.wait(signal))) throw new Error(`only ${messages.join("; ")}`);
  }
}

async function kill(name: string): Promise<void> {
  await docker.getContainer(await containerOf(ownerOf(row), name)).kill({ signal: "KILL" });
}

async function sandbox(): Promise<string> {
  const label = [`oneloop.workspace=${row.id}`, "oneloop.role=sandbox"];
  const [found] = await docker.listContainers({ filters: { label } });
  return found?.Id ?? "";
}

describe("a container that dies by itself", () => {
  it("the dev service's: the workspace is failed, says why, and starts again", async () => {
    const event = await nextEvent("container-exited");
    await kill("dev");
    const failed = await failedSoon();
    expect(failed?.errorCode).toBe("container-exited");
    expect(failed?.errorMessage).toMatch(/^The container of dev was ended by SIGKILL\. Start the/);
    expect(await event()).toBe(failed?.errorMessage);
    await start();
  });

  it("a supervisor that a program of the workspace ended is the same", async () => {
    await inside(ownerOf(row), "dev", ["sh", "-c", `kill -9 ${supervisorPid}`]);
    expect((await failedSoon())?.errorCode).toBe("container-exited");
    await start();
  });

  it("another service's: an event says so, the rest goes on, and `start` starts it", async () => {
    const dev = await containerOf(ownerOf(row), "dev");
    const event = await nextEvent("container-exited");
    await kill("db");
    expect(await event()).toMatch(/^The container of db was ended by SIGKILL\. The rest goes on/);
    expect((await rows.store.byId(row.id))?.state).toBe("running");
    await start();
    expect(await containerOf(ownerOf(row), "dev")).toBe(dev);
  });

  it("the sandbox: all is started again by itself, with its rules", async () => {
    const services = ["dev", "db"];
    for (const name of services) expect(await reached(name)).toBe("reached, not");
    const event = await nextEvent("engine-restarted");
    await docker.getContainer(await sandbox()).kill({ signal: "KILL" });
    await event();
    await started();
    for (const name of services) expect(await reached(name)).toBe("reached, not");
    await start();
  });

  it("one that was removed from outside is made again by `start`", async () => {
    const id = await containerOf(ownerOf(row), "dev");
    await docker.getContainer(id).remove({ force: true });
    expect((await failedSoon())?.errorMessage).toMatch(/^The container of dev was/);
    await start();
    expect(await containerOf(ownerOf(row), "dev")).not.toBe(id);
  });

  it("a network that was taken away comes back, and what ran goes on running", async () => {
    const dev = docker.getContainer(await containerOf(ownerOf(row), "dev"));
    const { State } = await dev.inspect();
    const event = await nextEvent("engine-restarted");
    const network = docker.getNetwork(`oneloop-${test.installation}-${row.id}`);
    await network.disconnect({ Container: await sandbox(), Force: true });
    await network.remove();
    expect(await event()).toContain("network was taken away");
    await started();
    await start();
    expect((await dev.inspect()).State).toMatchObject({ Pid: State.Pid, Running: true });
    // By its alias, too: the resolver knows the services again.
    const asked = await inside(ownerOf(row), "dev", ["getent", "hosts", "db"]);
    expect(asked.exitCode, asked.output).toBe(0);
  });
});

describe("memory", () => {
  it("a program beyond the limit is ended and told of; the container lives on", async () => {
    const event = await nextEvent("out-of-memory");
    const { exitCode } = await inside(ownerOf(row), "dev", hog);
    expect(exitCode).toBe(137);
    expect(await event()).toMatch(/^A program of dev reached the memory limit and was ended\./);
    expect((await rows.store.byId(row.id))?.state).toBe("running");
  });

  it("a service whose main program goes beyond it is said to have, with the limit", async () => {
    const event = await nextEvent("out-of-memory");
    await docker.getContainer(await containerOf(ownerOf(row), "hog")).kill({ signal: "USR1" });
    expect(await event()).toContain("memory limit");
    const words = /^The container of hog reached its memory limit of 32 MiB and was ended\./;
    await untilEvents((messages) => messages.some((message) => words.test(message)));
    expect((await rows.store.byId(row.id))?.state).toBe("running");
    await start();
  });

  it("a supervisor that is ended for it fails the workspace, in words", async () => {
    // The kernel ends it and its init first, though another program is what takes the memory.
    const script = [
      // The end of this shell's terminal is not the hog's.
      "trap '' HUP",
      `for p in 1 ${supervisorPid}; do echo 1000 > /proc/$p/oom_score_adj; done`,
      `${hog[0]} -c '${hog[2]}' < /dev/null > /dev/null 2>&1 &`,
    ];
    await inside(ownerOf(row), "dev", ["sh", "-c", script.join("\n")]);
    const failed = await failedSoon();
    expect(failed?.errorMessage).toMatch(
      /^The container of dev reached its memory limit of 192 MiB/,
    );
    await start();
  });
});
