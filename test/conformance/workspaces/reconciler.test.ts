import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../../server/db/workspaces.ts";
import type { ImageFacts, Job, JobResult } from "../../../server/engine/engine.ts";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import { plan } from "../../../server/plan/plan.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { defaultImage, defaultModel } from "../../../server/sources/fallback/default-model.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { createLog } from "../../../server/util/log.ts";
import { Poke } from "../../../server/util/poke.ts";
import { ownerOf, Reconciler } from "../../../server/workspaces/reconciler.ts";
import { root } from "../../helpers/installation.ts";
import { throwawayPostgres, type ThrowawayPostgres } from "../../helpers/postgres.ts";

const log = createLog({ level: "silent" });
const commit = "0123456789012345678901234567890123456789";
const facts: ImageFacts = {
  id: "sha256:0",
  user: { uid: 1000, gid: 1000, name: "dev" },
  home: "/home/dev",
  shell: "/bin/bash",
  entrypoint: [],
  command: ["bash"],
  env: {},
  workdir: "/home/dev",
};

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
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

let engine: FakeEngine;
let reconciler: Reconciler;
/** What the next jobs answer. */
let runJob: (job: Job) => JobResult | Promise<JobResult>;

beforeEach(() => {
  runJob = () => ({ exitCode: 0, stdout: "", stderr: "" });
  engine = new FakeEngine({ images: { [defaultImage]: facts }, runJob: (job) => runJob(job) });
  reconciler = makeReconciler("one");
});

afterEach(async () => {
  await reconciler[Symbol.asyncDispose]();
});

function makeReconciler(holder: string): Reconciler {
  const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
  const supervisors = new Supervisors(engine, signer);
  return new Reconciler({
    store,
    engine,
    supervisors,
    signer,
    log,
    holder,
    environmentOf: () => ({ env: {} }),
  });
}

async function insert(): Promise<WorkspaceRow> {
  const id = randomIds.id();
  const url = `https://git.example/${id}.git`;
  const checkout = { url, ref: "refs/heads/main", commit, path: "/workspace/app" };
  const row = await store.insert({
    id,
    name: `app-main-${id.slice(0, 8)}`,
    ownerId: userId,
    machineId: "local",
    contextUrl: url,
    repository: url,
    ref: checkout.ref,
    commit,
    plan: plan(defaultModel(), null, { checkout }),
  });
  if (row === null) throw new Error("the workspace was not inserted");
  return row;
}

/** Waits, by the database's own notifications, until the row is as wanted. */
async function until(
  id: string,
  wanted: (row: WorkspaceRow | null) => boolean,
): Promise<WorkspaceRow | null> {
  const poke = new Poke();
  using _changes = database.onChange(() => poke.poke());
  const signal = AbortSignal.timeout(15_000);
  for (;;) {
    const row = await store.byId(id);
    if (wanted(row)) return row;
    if (!(await poke.wait(signal))) throw new Error(`still ${JSON.stringify(row?.state)}`);
  }
}

const inState = (state: string) => (row: WorkspaceRow | null) => row?.state === state;

async function running(): Promise<WorkspaceRow> {
  const row = await insert();
  reconciler.kick(row.id);
  await until(row.id, inState("running"));
  return row;
}

async function codes(id: string): Promise<string[]> {
  return (await store.eventsAfter(id, 0)).map(({ code }) => code);
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

describe("running", () => {
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
