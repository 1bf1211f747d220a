import { createServer } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../../server/db/workspaces.ts";
import type { Job, JobResult } from "../../../server/engine/jobs.ts";
import type { StepOptions } from "../../../server/engine/steps.ts";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import { plan } from "../../../server/plan/plan.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import { defaultImage, defaultModel } from "../../../server/sources/fallback/default-model.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { createLog } from "../../../server/util/log.ts";
import { Poke } from "../../../server/util/poke.ts";
import {
  stepDeadlines,
  type Step,
  type StepDeadlines,
} from "../../../server/workspaces/reconciler-deadlines.ts";
import {
  ownerOf,
  Reconciler,
  type ReconcilerParts,
} from "../../../server/workspaces/reconciler.ts";
import { root } from "../../helpers/installation.ts";
import { listening } from "../../helpers/listening.ts";
import { untilEvent, untilRow } from "../../helpers/rows.ts";
import { facts, service } from "../../helpers/plans.ts";
import { throwawayPostgres, type ThrowawayPostgres } from "../../helpers/postgres.ts";

const log = createLog({ level: "silent" });
const commit = "0123456789012345678901234567890123456789";

let postgres: ThrowawayPostgres;
let database: Database;
let store: WorkspaceStore;
let userId: string;

beforeAll(async () => {
  postgres = await throwawayPostgres();
  await applyMigrations(postgres.url, join(root, "migrations"));
  database = await Database.connect(postgres.url, log);
  store = new WorkspaceStore(database);
  ({ id: userId } = await new AccountStore(database).ensureOwner({ id: "ada", name: "ada" }));
  await store.ensureMachine({ id: "local", name: "this machine", engine: "fake" });
  supervisor = await listenForSetups();
});

afterAll(async () => {
  await supervisor?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

let engine: FakeEngine;
let reconciler: Reconciler;
/** Answers for every supervisor, and takes what it is told. */
let supervisor: { readonly port: number } & AsyncDisposable;
const setups: unknown[] = [];
/** What the next jobs answer. */
let runJob: (job: Job, options: StepOptions) => JobResult | Promise<JobResult>;

beforeEach(() => {
  runJob = () => ({ exitCode: 0, stdout: "", stderr: "" });
  engine = new FakeEngine({
    images: { [defaultImage]: facts },
    runJob: (job, options) => runJob(job, options),
    address: { host: "127.0.0.1", port: supervisor.port },
  });
  reconciler = makeReconciler("one");
});

afterEach(async () => {
  await reconciler[Symbol.asyncDispose]();
});

function makeReconciler(holder: string, more: Partial<ReconcilerParts> = {}): Reconciler {
  const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
  const supervisors = new Supervisors(engine, signer);
  return new Reconciler({
    store,
    engine,
    supervisors,
    signer,
    log,
    holder,
    inside: {
      tellSetup: async () => undefined,
      running: () => undefined,
      ended: async () => undefined,
    },
    environmentOf: () => ({ env: {} }),
    archive: () => Promise.reject(new Error("nothing is built here")),
    ...more,
  });
}

async function listenForSetups(): Promise<typeof supervisor> {
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      setups.push(body);
      response.writeHead(204).end();
    });
  });
  return listening(server);
}

async function insert(beside: readonly PlannedService[] = []): Promise<WorkspaceRow> {
  const id = randomIds.id();
  const url = `https://git.example/${id}.git`;
  const checkout = { url, ref: "refs/heads/main", commit, path: "/workspace/app" };
  const planned = plan(defaultModel(), null, { checkout });
  const row = await store.insert({
    id,
    name: `app-main-${id.slice(0, 8)}`,
    ownerId: userId,
    machineId: "local",
    contextUrl: url,
    repository: url,
    ref: checkout.ref,
    commit,
    plan: { ...planned, services: [...planned.services, ...beside] },
  });
  if (row === null) throw new Error("the workspace was not inserted");
  return row;
}

const until = (
  id: string,
  wanted: (row: WorkspaceRow | null) => boolean,
): Promise<WorkspaceRow | null> => untilRow({ database, store }, id, { wanted });

const told = (id: string, code: string): Promise<string> =>
  untilEvent({ database, store }, id, { code });

const inState = (state: string) => (row: WorkspaceRow | null) => row?.state === state;

async function running(beside: readonly PlannedService[] = []): Promise<WorkspaceRow> {
  const row = await insert(beside);
  reconciler.kick(row.id);
  await until(row.id, inState("running"));
  return row;
}

async function codes(id: string): Promise<string[]> {
  return (await store.eventsAfter(id, 0)).map(({ code }) => code);
}

/** What hangs at each step of a workspace's life, and how it comes there. */
const startCalls = {
  image: "ensureImage",
  storage: "ensureStorage",
  checkout: "runJob",
  sandbox: "ensureSandbox",
  start: "ensureMembers",
} as const;
const startSteps = Object.entries(startCalls) as [Step, (typeof startCalls)["image"]][];

/** One step is given up after a moment, the others are not. */
function hurried(step: Step): StepDeadlines {
  return { ...stepDeadlines, [step]: 50 };
}

describe("starting", () => {
  it("brings up what is wanted, and tells each step", async () => {
    const row = await running();
    expect(await engine.observe(ownerOf(row))).toMatchObject({ sandbox: "running" });
    const told = await codes(row.id);
    expect(told).toEqual(expect.arrayContaining(["checked-out", "sandbox-ready", "started"]));
  });

  it("an image that is not to be had fails the workspace with its reason, and start tries again", async () => {
    const row = await insert();
    engine.failNext("ensureImage", new OneloopError("image-unavailable", "No such image."));
    reconciler.kick(row.id);
    const failed = await until(row.id, inState("failed"));
    expect(failed).toMatchObject({
      errorCode: "image-unavailable",
      errorMessage: "No such image.",
    });
    await store.setDesired(row.id, "running");
    reconciler.kick(row.id);
    const started = await until(row.id, inState("running"));
    expect(started?.errorCode).toBeNull();
  });

  it("a failed checkout is said in git's own words", async () => {
    runJob = () => ({ exitCode: 128, stdout: "", stderr: "noise\nfatal: bad object\n" });
    const row = await insert();
    reconciler.kick(row.id);
    const failed = await until(row.id, inState("failed"));
    expect(failed?.errorCode).toBe("checkout-failed");
    expect(failed?.errorMessage).toContain("fatal: bad object");
  });

  it("what a killed control plane began, the next one finishes, with one checkout", async () => {
    const row = await insert();
    let checkouts = 0;
    runJob = () => {
      checkouts += 1;
      return { exitCode: 0, stdout: "", stderr: "" };
    };
    engine.failNext("ensureMembers", new OneloopError("engine-unreachable", "The engine is gone."));
    const first = makeReconciler("one");
    first.kick(row.id);
    await until(row.id, inState("failed"));
    await first[Symbol.asyncDispose]();
    // As the killed one left it: on the way up, half of it done.
    await store.setDesired(row.id, "running");
    await reconciler.start();
    await until(row.id, inState("running"));
    expect(checkouts).toBe(1);
  });

  it("a stop while it starts interrupts the step, and wins", async () => {
    const poke = new Poke();
    let release = (): void => undefined;
    runJob = () =>
      new Promise<JobResult>((resolve) => {
        release = () => resolve({ exitCode: 0, stdout: "", stderr: "" });
        poke.poke();
      });
    const row = await insert();
    reconciler.kick(row.id);
    await poke.wait(AbortSignal.timeout(10_000));
    await store.setDesired(row.id, "stopped");
    reconciler.kick(row.id, { interrupt: true });
    release();
    const stopped = await until(row.id, inState("stopped"));
    expect(stopped?.desired).toBe("stopped");
    expect(await codes(row.id)).not.toContain("started");
  });
});

describe("no state can hang", () => {
  const slow = async (deadlines: StepDeadlines): Promise<void> => {
    await reconciler[Symbol.asyncDispose]();
    reconciler = makeReconciler("one", { deadlines });
  };

  it.each(startSteps)("a start fails when %s takes too long, and says so", async (step, call) => {
    await slow(hurried(step));
    const row = await insert();
    engine.hangNext(call);
    reconciler.kick(row.id);
    const failed = await until(row.id, inState("failed"));
    expect(failed?.errorCode).toBe("deadline-exceeded");
    expect(failed?.errorMessage).toMatch(/took longer than 1 s and was given up\. Start/);
    await store.setDesired(row.id, "running");
    reconciler.kick(row.id, { interrupt: true });
    await until(row.id, inState("running"));
  });

  it.each([
    ["stop", "stop", "stopped"],
    ["delete", "remove", "deleted"],
  ] as const)(
    "a %s that takes too long is a failure that can be repeated",
    async (step, call, wish) => {
      await slow(hurried(step));
      const row = await running();
      engine.hangNext(call);
      await store.setDesired(row.id, wish);
      reconciler.kick(row.id, { interrupt: true });
      expect((await until(row.id, inState("failed")))?.errorCode).toBe("deadline-exceeded");
      await store.setDesired(row.id, wish);
      reconciler.kick(row.id, { interrupt: true });
      await until(row.id, (now) => now === null || now.state === "stopped");
    },
  );

  it.each(startSteps)("a stop while %s hangs is done at once", async (_step, call) => {
    const row = await insert();
    engine.hangNext(call);
    reconciler.kick(row.id);
    await called(call);
    await store.setDesired(row.id, "stopped");
    reconciler.kick(row.id, { interrupt: true });
    await until(row.id, inState("stopped"));
    expect((await engine.observe(ownerOf(row))).sandbox).not.toBe("running");
  });

  it.each(startSteps)("a delete while %s hangs is done at once", async (_step, call) => {
    const row = await insert();
    engine.hangNext(call);
    reconciler.kick(row.id);
    await called(call);
    await store.setDesired(row.id, "deleted");
    reconciler.kick(row.id, { interrupt: true });
    await until(row.id, (now) => now === null);
    expect(await engine.owners()).not.toContainEqual(ownerOf(row));
  });

  it("a step that fails does not wait for those beside it", async () => {
    const row = await insert();
    engine.hangNext("runJob");
    engine.failNext("ensureSandbox", new OneloopError("isolation-unavailable", "No rules."));
    reconciler.kick(row.id);
    expect((await until(row.id, inState("failed")))?.errorCode).toBe("isolation-unavailable");
  });

  it("an engine that says nothing of a running workspace does not fail it", async () => {
    const row = await running();
    engine.failNext("observe", new OneloopError("engine-unreachable", "The engine is gone."));
    reconciler.kick(row.id);
    await reconciler.settled(row.id);
    expect((await store.byId(row.id))?.state).toBe("running");
  });

  /** Resolves when the engine was asked for a step, and everything else that goes on has settled. */
  async function called(call: string): Promise<void> {
    while (!engine.calls.includes(call)) await new Promise((resolve) => setImmediate(resolve));
  }
});

describe("running", () => {
  const beside = (): PlannedService[] => [service("db", { image: defaultImage })];

  it("a service that ends is told of once, in words, and `start` starts it again", async () => {
    const row = await running(beside());
    await reconciler.start();
    engine.end(ownerOf(row), "db", { exitCode: 137 });
    expect(await told(row.id, "container-exited")).toMatch(
      /^The container of db was ended by SIGKILL\./,
    );
    reconciler.kick(row.id);
    await reconciler.settled(row.id);
    expect((await codes(row.id)).filter((code) => code === "container-exited")).toHaveLength(1);
    expect((await store.byId(row.id))?.state).toBe("running");
    await store.setDesired(row.id, "running");
    reconciler.kick(row.id, { interrupt: true });
    await reconciler.settled(row.id);
    const states = (await engine.observe(ownerOf(row))).members.map(({ state }) => state);
    expect(states).toEqual(["running", "running"]);
    expect((await store.byId(row.id))?.state).toBe("running");
  });

  it("a service that ended while the workspace started is told of, too", async () => {
    const row = await insert(beside());
    await reconciler[Symbol.asyncDispose]();
    // Its end comes before the state that the start leads to.
    const onPhase: ReconcilerParts["onPhase"] = (phase) => {
      if (phase === "members-started") engine.end(ownerOf(row), "db", { exitCode: 3 });
    };
    reconciler = makeReconciler("one", { onPhase });
    await reconciler.start();
    await until(row.id, inState("running"));
    expect(await told(row.id, "container-exited")).toContain("ended by itself with status 3");
  });

  it("a program that is ended for memory is told of, and the workspace goes on", async () => {
    const row = await running();
    await reconciler.start();
    for (let each = 0; each < 3; each += 1) engine.endProgram(ownerOf(row), row.plan.devService);
    expect(await told(row.id, "out-of-memory")).toContain("memory limit");
    expect((await store.byId(row.id))?.state).toBe("running");
    engine.end(ownerOf(row), row.plan.devService, { exitCode: 1 });
    await until(row.id, inState("failed"));
    expect((await codes(row.id)).filter((code) => code === "out-of-memory")).toHaveLength(1);
  });

  it("a network that was taken away is made again", async () => {
    const row = await running();
    await reconciler.start();
    engine.cutOff(ownerOf(row));
    expect(await told(row.id, "engine-restarted")).toContain("network was taken away");
    await until(row.id, inState("running"));
    expect((await engine.observe(ownerOf(row))).sandbox).toBe("running");
  });

  it("what ended while the engine was away, without a word, is started again", async () => {
    const row = await running();
    await reconciler.start();
    // Looked at, and found running: from here on nobody would look again.
    await reconciler.settled(row.id);
    engine.goAway(ownerOf(row));
    await told(row.id, "engine-restarted");
    await until(row.id, inState("running"));
  });

  it("a dev container that ends by itself is a failure with its status in words", async () => {
    const row = await running();
    await reconciler.start();
    engine.end(ownerOf(row), row.plan.devService, { exitCode: 137, outOfMemory: true });
    const failed = await until(row.id, inState("failed"));
    expect(failed?.errorCode).toBe("container-exited");
    expect(failed?.errorMessage).toContain("memory limit");
  });

  it("after a crash of the engine everything is started again", async () => {
    const row = await running();
    await reconciler.start();
    engine.crash(ownerOf(row));
    await until(row.id, inState("running"));
    const poke = new Poke();
    using _changes = database.onChange(() => poke.poke());
    const signal = AbortSignal.timeout(10_000);
    while (!(await codes(row.id)).includes("engine-restarted")) await poke.wait(signal);
    await until(row.id, inState("running"));
    expect(await engine.observe(ownerOf(row))).toMatchObject({ sandbox: "running" });
  });

  it("what is lost again and again is given up with a reason, until a person starts it", async () => {
    const row = await running();
    await reconciler.start();
    const lose = async (): Promise<void> => {
      const after = (await store.eventsAfter(row.id, 0)).at(-1)?.id ?? 0;
      engine.crash(ownerOf(row));
      await untilEvent({ database, store }, row.id, { code: "engine-restarted", after });
      await until(row.id, inState("running"));
      await reconciler.settled(row.id);
    };
    const giveUp = async (): Promise<void> => {
      for (let times = 1; times <= 5; times += 1) await lose();
      engine.crash(ownerOf(row));
      const failed = await until(row.id, inState("failed"));
      expect(failed?.errorMessage).toMatch(/^The workspace lost its .* 6 times within 10 minutes/);
    };
    await giveUp();
    await store.setDesired(row.id, "running");
    reconciler.kick(row.id, { interrupt: true });
    await until(row.id, inState("running"));
    await reconciler.settled(row.id);
    // A person's start begins anew.
    await giveUp();
  });

  it("another control plane that holds the lease is left alone until the lease ends", async () => {
    const row = await insert();
    await store.lease(row.id, "another", 3600);
    reconciler.kick(row.id);
    await reconciler[Symbol.asyncDispose]();
    expect((await store.byId(row.id))?.state).toBe("starting");
    expect(engine.calls).not.toContain("ensureSandbox");
  });
});

describe("deleting", () => {
  it("leaves nothing, and forgets the workspace", async () => {
    const row = await running();
    await store.setDesired(row.id, "deleted");
    reconciler.kick(row.id, { interrupt: true });
    await until(row.id, (now) => now === null);
    expect(await engine.observe(ownerOf(row))).toMatchObject({ sandbox: "missing", volumes: [] });
  });

  it("work that appeared after the question keeps the workspace, stopped", async () => {
    const row = await running();
    runJob = () => ({ exitCode: 0, stdout: "= uncommitted\n M app.js\n", stderr: "" });
    await store.setDesired(row.id, "deleted");
    reconciler.kick(row.id, { interrupt: true });
    const kept = await until(row.id, inState("stopped"));
    expect(kept?.desired).toBe("stopped");
    expect((await engine.observe(ownerOf(row))).volumes).toContain("source");
  });

  it("forced, it asks no more", async () => {
    const row = await running();
    runJob = () => ({ exitCode: 0, stdout: "= uncommitted\n M app.js\n", stderr: "" });
    await store.setDesired(row.id, "deleted", { force: true });
    reconciler.kick(row.id, { interrupt: true });
    await until(row.id, (now) => now === null);
  });

  it("containers of no known workspace are swept at a start, their volumes never", async () => {
    const row = await running();
    const leased = await store.lease(row.id, "one", 60);
    await store.forget(row.id, leased?.generation ?? -1);
    const next = makeReconciler("one");
    await next.start();
    await next[Symbol.asyncDispose]();
    expect(await engine.observe(ownerOf(row))).toMatchObject({
      sandbox: "missing",
      volumes: expect.arrayContaining(["source", "home"]),
    });
  });
});
