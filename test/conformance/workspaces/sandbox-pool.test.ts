import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { WorkspaceStore } from "../../../server/db/workspaces.ts";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { unsaidMirror, type PlannedService } from "../../../server/protocol/service.ts";
import { plan } from "../../../server/plan/plan.ts";
import { defaultModel } from "../../../server/sources/fallback/default-model.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { createLog } from "../../../server/util/log.ts";
import { SandboxPool } from "../../../server/workspaces/sandbox-pool.ts";
import { root } from "../../helpers/installation.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { throwawayPostgres, type ThrowawayPostgres } from "../../helpers/postgres.ts";

const log = createLog({ level: "silent" });
const single = plan(defaultModel(), null, { checkout: null });
/** A dev service that is called by a name of production. */
const calledWeb = service("dev", {
  mirror: { ...unsaidMirror, names: [{ name: "web", ports: [] }] },
});
const standIn = planOf([calledWeb]);

let postgres: ThrowawayPostgres;
let database: Database;
let store: WorkspaceStore;
let engine: FakeEngine;

beforeAll(async () => {
  postgres = await throwawayPostgres();
  await applyMigrations(postgres.url, join(root, "migrations"));
  database = await Database.connect(postgres.url, log);
  store = new WorkspaceStore(database);
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  engine = new FakeEngine({ images: {} });
});

function makePool(holder = "one", spares = 0): SandboxPool {
  return new SandboxPool({ store, engine, ids: randomIds, log, holder, spares });
}

/** Disposing waits for the filling; so does this, by asking the store for what it wrote. */
async function filled(pool: SandboxPool): Promise<string[]> {
  pool.refill();
  await pool.settled();
  return (await store.prepared()).map(({ id }) => id);
}

it("hands out prepared ids for plans that they fit, and fresh ones for others", async () => {
  await using pool = makePool();
  const prepared = await filled(pool);
  expect(prepared).toHaveLength(2);
  expect(prepared).not.toContain(pool.take(standIn));
  expect(prepared).toContain(pool.take(single));
  expect(prepared).toContain(pool.take(single));
  expect(prepared).not.toContain(pool.take(single));
  for (const id of prepared) await pool.claimed(id);
});

it("hands out what was made for several services to one of one only where there is nothing else", async () => {
  await using pool = makePool();
  const prepared = await filled(pool);
  const both = planOf([service("dev"), service("db")]);
  const first = pool.take(both);
  expect(prepared).toContain(first);
  expect(prepared).not.toContain(pool.take(both));
  pool.giveBack(first);
  const usual = pool.take(single);
  expect(usual).not.toBe(first);
  expect(pool.take(single)).toBe(first);
  for (const id of [first, usual]) pool.giveBack(id);
  expect(pool.take(single)).toBe(usual);
  for (const id of prepared) await pool.claimed(id);
});

it("hands out again what an open gave back, but nothing that was never prepared", async () => {
  await using pool = makePool();
  const prepared = await filled(pool);
  const taken = [pool.take(single), pool.take(single)];
  pool.giveBack(taken[0] ?? "");
  pool.giveBack("fresh");
  expect(pool.take(single)).toBe(taken[0]);
  expect(prepared).not.toContain(pool.take(single));
  for (const id of prepared) {
    await pool.claimed(id);
    // A workspace's id never comes back, whatever a late caller says.
    pool.giveBack(id);
  }
  expect(prepared).not.toContain(pool.take(single));
});

it("leaves nothing of what nobody took", async () => {
  const pool = makePool();
  await filled(pool);
  expect(await engine.owners()).toHaveLength(2);
  await pool[Symbol.asyncDispose]();
  expect(await engine.owners()).toEqual([]);
  expect(await store.prepared()).toEqual([]);
});

it("removes what a killed control plane had prepared, and nothing of another's", async () => {
  await filled(makePool("killed"));
  await filled(makePool("another"));
  expect(await engine.owners()).toHaveLength(4);
  await using pool = makePool("killed");
  await pool.clear();
  const left = await store.prepared();
  expect(left.map(({ holder }) => holder)).toEqual(["another", "another"]);
  expect(await engine.owners()).toHaveLength(2);
  for (const { id } of left) await store.removePrepared(id);
});

describe("the mirror that was opened last", () => {
  const mirrorOf = (...names: string[]): WorkspacePlan => mirrorBeside(calledWeb, ...names);
  const mirrorBeside = (dev: PlannedService, ...names: string[]): WorkspacePlan =>
    planOf([
      dev,
      ...names.map((name) => service(name, { dedicatedPod: true, mirror: unsaidMirror })),
    ]);
  const shop = mirrorOf("api", "db");

  it("is made ahead for the next open of the same, and serves others as far as it goes", async () => {
    await using pool = makePool();
    const generic = await filled(pool);
    expect(generic).not.toContain(pool.take(shop));
    const [mirror = "", ...others] = (await filled(pool)).filter((id) => !generic.includes(id));
    expect(others).toEqual([]);
    expect(generic).toContain(pool.take(single));
    for (const plan of [shop, mirrorOf("other", "names"), mirrorOf("one")]) {
      expect(pool.take(plan)).toBe(mirror);
      expect(pool.take(plan)).not.toBe(mirror);
      pool.giveBack(mirror);
    }
    expect(pool.take(shop)).toBe(mirror);
    for (const id of [...generic, mirror]) await pool.claimed(id);
  });

  it("is left to mirrors as long as there is something else", async () => {
    await using pool = makePool();
    const plain = mirrorBeside(service("dev"), "api");
    pool.take(plain);
    const all = await filled(pool);
    expect(all).toHaveLength(3);
    const taken = [pool.take(single), pool.take(single), pool.take(single)];
    expect(taken.toSorted()).toEqual(all.toSorted());
    for (const id of taken) pool.giveBack(id);
    expect(pool.take(plain)).toBe(taken[2]);
    for (const id of all) await pool.claimed(id);
  });

  it("has at first what any plan has, where that fits, and is whole from then on", async () => {
    await using pool = makePool();
    const generic = await filled(pool);
    const plain = mirrorBeside(service("dev"), "api");
    const first = pool.take(plain);
    expect(generic).toContain(first);
    const [mirror] = (await filled(pool)).filter((id) => !generic.includes(id)).slice(-1);
    expect(engine.calls.filter((call) => call === "prepareSandboxes")).toHaveLength(4);
    expect(pool.take(plain)).toBe(mirror);
    for (const id of [first, mirror ?? ""]) await pool.claimed(id);
  });

  it("takes the place of the one before", async () => {
    await using pool = makePool();
    const generic = await filled(pool);
    pool.take(shop);
    const before = (await filled(pool)).find((id) => !generic.includes(id)) ?? "";
    // What there is has no sandbox of such a dev service.
    const other = mirrorBeside(service("dev"), "mail");
    const taken = pool.take(other);
    expect(generic).toContain(taken);
    const now = await filled(pool);
    expect(now).toHaveLength(4);
    expect(now).not.toContain(before);
    expect((await engine.owners()).map(({ id }) => id).sort()).toEqual(now.toSorted());
    const mirror = pool.take(other);
    expect(generic).not.toContain(mirror);
    for (const id of [taken, mirror]) await pool.claimed(id);
  });

  it("is made ahead no more when ten others were opened since", async () => {
    await using pool = makePool();
    const generic = await filled(pool);
    pool.take(shop);
    expect(await filled(pool)).toHaveLength(3);
    for (let opens = 1; opens < 10; opens += 1) pool.giveBack(pool.take(standIn));
    expect(await filled(pool)).toHaveLength(3);
    pool.giveBack(pool.take(standIn));
    expect((await filled(pool)).sort()).toEqual(generic.sort());
  });

  it("has something of nobody's in its place before it is opened, and when it is no more", async () => {
    await using pool = makePool("one", 4);
    const before = await filled(pool);
    expect(before).toHaveLength(3);
    const spare = pool.take(mirrorBeside(service("dev"), "api", "db"));
    expect(before).toContain(spare);
    const other = pool.take(single);
    expect(other).not.toBe(spare);
    pool.giveBack(other);
    const likeIt = (await filled(pool)).at(-1);
    for (let opens = 0; opens < 10; opens += 1) pool.giveBack(pool.take(single));
    const after = await filled(pool);
    expect(after).toHaveLength(4);
    expect(after).not.toContain(likeIt);
    await pool.claimed(spare);
  });
});

it("an engine that fails now is asked again at the next refill", async () => {
  await using pool = makePool();
  engine.failNext("prepareSandboxes", new OneloopError("engine-failed", "not now"));
  // What was half prepared is removed at once.
  expect(await filled(pool)).toEqual([]);
  expect(await filled(pool)).toHaveLength(2);
});
