import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { root } from "../../helpers/installation.ts";
import { throwawayPostgres } from "../../helpers/postgres.ts";

// Each migration is applied to what the release before it left: rows that its code wrote.
const lifetime = new Lifetime();
let folder: string;
let url: string;
let database: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-migrations-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
});
beforeEach(async () => {
  ({ url } = lifetime.own(await throwawayPostgres()));
  const client = new Client({ connectionString: url });
  await client.connect();
  lifetime.defer(() => client.end());
  database = client;
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** As a release does at its start whose last migration this one was. */
async function migrateTo(tag: string): Promise<void> {
  const release = join(folder, tag);
  await cp(join(root, "migrations"), release, { recursive: true });
  const journalFile = join(release, "meta/_journal.json");
  const journal = JSON.parse(await readFile(journalFile, "utf8")) as {
    entries: { tag: string }[];
  };
  const last = journal.entries.findIndex((entry) => entry.tag === tag);
  expect(last, `${tag} in the journal`).toBeGreaterThanOrEqual(0);
  const entries = journal.entries.slice(0, last + 1);
  await writeFile(journalFile, JSON.stringify({ ...journal, entries }));
  await applyMigrations(url, release);
}

async function workspaces(): Promise<Record<string, unknown>[]> {
  return (await database.query<Record<string, unknown>>("SELECT * FROM workspaces ORDER BY id"))
    .rows;
}

describe("from 0006_ssh_codes to 0007_after_stop", () => {
  const plan = { oneShots: [{ name: "tidy", when: "after-stop" }] };
  beforeEach(async () => {
    await migrateTo("0006_ssh_codes");
    await database.query(`
      INSERT INTO users (id, name, role) VALUES ('u1', 'ada', 'owner');
      INSERT INTO machines (id, name, engine) VALUES ('m1', 'here', 'docker');
    `);
    const insert = `
      INSERT INTO workspaces (id, name, owner_id, machine_id, context_url, repository, ref, commit,
        plan, desired, state, error_code, error_message, ports, behind, work, checked_out,
        delete_forced, generation, lease_holder, lease_until, created_at, last_used_at)
      SELECT id, id, 'u1', 'm1', 'https://git.example/shop', 'git.example/shop', ref, 'c0ffee',
        $1, desired, state, error_code, 'why', '[{"port":3000}]', 2, '{"commits":1}', true,
        desired = 'deleted', 7, 'i1', '2026-01-02T03:04:05Z', '2026-01-01T00:00:00Z',
        '2026-01-02T00:00:00Z'
      FROM (VALUES
        ('running', 'refs/heads/a', 'running', 'running', NULL),
        ('stopping', 'refs/heads/b', 'stopped', 'stopping', NULL),
        ('stopped', NULL, 'stopped', 'stopped', NULL),
        ('failed', 'refs/heads/c', 'running', 'failed', 'container-exited'),
        ('deleting', 'refs/heads/a', 'deleted', 'deleting', NULL)
      ) AS of_release (id, ref, desired, state, error_code)`;
    await database.query(insert, [JSON.stringify(plan)]);
  });

  test("every workspace is what it was, and owes nothing to a stop that has not begun", async () => {
    const before = await workspaces();
    expect(before).toHaveLength(5);
    await migrateTo("0007_after_stop");
    expect(await workspaces()).toEqual(before.map((row) => ({ ...row, after_stop: null })));
  });

  test("what a stop owes is kept as it was written", async () => {
    await migrateTo("0007_after_stop");
    await database.query(`UPDATE workspaces SET after_stop = '["tidy"]' WHERE id = 'stopping'`);
    const owed = (await workspaces()).filter((row) => row["after_stop"] !== null);
    expect(owed).toMatchObject([{ id: "stopping", after_stop: ["tidy"] }]);
  });

  test("one workspace is still one of a person, a repository and a ref", async () => {
    await migrateTo("0007_after_stop");
    const again = (id: string) =>
      database.query(
        `INSERT INTO workspaces (id, name, owner_id, machine_id, context_url, repository, ref,
          commit, plan, desired, state)
         SELECT $1 || '2', $1 || '2', owner_id, machine_id, context_url, repository, ref, commit,
          plan, 'running', 'starting' FROM workspaces WHERE id = $1`,
        [id],
      );
    await expect(again("stopped")).rejects.toThrow("workspaces_of_ref");
    await expect(again("running")).rejects.toThrow("workspaces_of_ref");
    await database.query(`UPDATE workspaces SET desired = 'deleted' WHERE id = 'stopped'`);
    await again("stopped");
  });
});
