import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { ServiceStore, type ServiceRow } from "../../../server/db/workspace-services.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../../server/db/workspaces.ts";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import type { PlannedService } from "../../../server/protocol/service.ts";
import { defaultImage } from "../../../server/sources/fallback/default-model.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { Poke } from "../../../server/util/poke.ts";
import { Mirrors } from "../../../server/workspaces/mirror/mirrors.ts";
import { ownerOf, Reconciler } from "../../../server/workspaces/reconciler.ts";
import { root } from "../../helpers/installation.ts";
import { facts, planOf, service } from "../../helpers/plans.ts";
import { throwawayPostgres } from "../../helpers/postgres.ts";
import { untilRow } from "../../helpers/rows.ts";
import { mirrored } from "../../unit/workspaces/mirror-rig.ts";

// The reconciler and the runner of production's services together, over a real database.
const lifetime = new Lifetime();
const log = createLog({ level: "silent" });
let database: Database;
let store: WorkspaceStore;
let services: ServiceStore;
let engine: FakeEngine;
let reconciler: Reconciler;

beforeAll(async () => {
  const postgres = lifetime.own(await throwawayPostgres());
  await applyMigrations(postgres.url, join(root, "migrations"));
  database = lifetime.own(await Database.connect(postgres.url, log));
  store = new WorkspaceStore(database);
  services = new ServiceStore(database);
  await new AccountStore(database).ensureOwner({ id: "ada", name: "ada" });
  await store.ensureMachine({ id: "local", name: "this machine", engine: "fake" });
  engine = new FakeEngine({ images: { [defaultImage]: facts, "shop/api:1": facts } });
  const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
  const supervisors = new Supervisors(engine, signer);
  const archive = async () => Readable.from([]);
  const mirrors = lifetime.own(
    new Mirrors({
      ...{ engine, store, services, supervisors, archive, log },
      values: async () => ({ variables: {}, made: () => "made" }),
      watch: () => undefined,
    }),
  );
  reconciler = lifetime.own(
    new Reconciler({
      ...{ store, engine, supervisors, signer, archive, log, holder: "one" },
      inside: {
        tellSetup: async () => undefined,
        running: (row) => mirrors.running(row),
        ended: (id) => mirrors.ended(id),
      },
      onMirrored: (id, name) => mirrors.changed(id, name),
      environmentOf: () => ({ env: {} }),
    }),
  );
  await reconciler.start();
});
afterAll(() => lifetime[Symbol.asyncDispose]());

async function start(...beside: PlannedService[]): Promise<WorkspaceRow> {
  const id = randomIds.id();
  const commit = "0".repeat(40);
  const row = await store.insert({
    ...{ id, name: `app-${id.slice(0, 8)}`, ownerId: "ada", machineId: "local", commit, ref: null },
    ...{ contextUrl: id, repository: id },
    plan: planOf([service("dev", { image: defaultImage, sourcePath: null }), ...beside]),
  });
  if (row === null) throw new Error("the workspace was not inserted");
  reconciler.kick(id);
  await inState(id, "running");
  return row;
}

const inState = (id: string, state: WorkspaceRow["state"]) =>
  untilRow({ database, store }, id, { wanted: (row) => row?.state === state });

/** Waits, by the database's own notifications, until a service is as wanted. */
async function until(
  id: string,
  name: string,
  wanted: (row: ServiceRow) => boolean,
): Promise<ServiceRow> {
  const poke = new Poke();
  using _changes = database.onChange(() => poke.poke());
  const signal = AbortSignal.timeout(15_000);
  for (;;) {
    const rows = await services.list(id);
    const row = rows.find((one) => one.service === name);
    if (row !== undefined && wanted(row)) return row;
    if (!(await poke.wait(signal))) throw new Error(`it is still ${JSON.stringify(rows)}`);
  }
}

describe("a workspace that mirrors production", () => {
  it("runs also where a service of production cannot", async () => {
    const { id } = await start(mirrored("api"), mirrored("mail", { restart: "no" }));
    await until(id, "api", ({ state }) => state === "running");
    const mail = await until(id, "mail", ({ state }) => state === "failed");
    expect(mail.reason).toContain("shop/mail:1");
    expect((await store.byId(id))?.state).toBe("running");
    const { members } = await engine.observe(ownerOf({ id }));
    expect(members.map((one) => one.service)).toEqual(["dev", "api"]);
  });

  it("starts again what ends, and tells of it once, by one of the two", async () => {
    const { id } = await start(mirrored("api"));
    await until(id, "api", ({ state }) => state === "running");
    engine.end(ownerOf({ id }), "api", { exitCode: 1 });
    await until(id, "api", ({ state, restarts }) => state === "running" && restarts === 1);
    const events = await store.eventsAfter(id, 0);
    const ends = events.filter(({ code }) => code === "container-exited");
    expect(ends.map(({ message }) => message)).toEqual([
      "api: It ended with status 1. It is started again after 1 s.",
    ]);
  });

  it("says of a program that its memory limit is production's", async () => {
    const { id } = await start(mirrored("api"));
    await until(id, "api", ({ state }) => state === "running");
    engine.endProgram(ownerOf({ id }), "api");
    const poke = new Poke();
    using _changes = database.onChange(() => poke.poke());
    for (;;) {
      const events = await store.eventsAfter(id, 0);
      const told = events.find(({ code }) => code === "out-of-memory");
      if (told !== undefined) {
        expect(told.message).toMatch(/A program of api .* It is production's limit/);
        return;
      }
      await poke.wait(AbortSignal.timeout(15_000));
    }
  });

  it("forgets how its services were when it stops, and begins anew", async () => {
    const { id } = await start(mirrored("api"));
    await until(id, "api", ({ state }) => state === "running");
    engine.end(ownerOf({ id }), "api", { exitCode: 1 });
    await until(id, "api", ({ restarts }) => restarts === 1);
    await store.setDesired(id, "stopped");
    reconciler.kick(id, { interrupt: true });
    await inState(id, "stopped");
    expect(await services.list(id)).toEqual([]);
    await store.setDesired(id, "running");
    reconciler.kick(id, { interrupt: true });
    const up = await until(id, "api", ({ state }) => state === "running");
    expect(up.restarts).toBe(0);
  });

  it("begins anew after the engine has lost all of it", async () => {
    const { id } = await start(mirrored("api"));
    await until(id, "api", ({ state }) => state === "running");
    const before = await until(id, "api", () => true);
    engine.crash(ownerOf({ id }));
    const up = await until(
      id,
      "api",
      ({ state, since }) => state === "running" && since > before.since,
    );
    expect(up.restarts).toBe(0);
    expect((await inState(id, "running"))?.errorCode).toBeNull();
  });

  it("leaves nothing of its services when it is deleted", async () => {
    const { id } = await start(mirrored("api"));
    await until(id, "api", ({ state }) => state === "running");
    await store.setDesired(id, "deleted", { force: true });
    reconciler.kick(id, { interrupt: true });
    await untilRow({ database, store }, id, { wanted: (row) => row === null });
    expect(await services.list(id)).toEqual([]);
    expect((await engine.observe(ownerOf({ id }))).members).toEqual([]);
  });
});
