import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation } from "../helpers/installation.ts";
import { throwawayPostgres, type ThrowawayPostgres } from "../helpers/postgres.ts";
import { makeRepository } from "../helpers/repositories.ts";

describe("a PostgreSQL of the operator's own", () => {
  const lifetime = new Lifetime();
  let folder: string;
  let database: ThrowawayPostgres;
  let oneloop: Installation;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "oneloop-own-database-"));
    lifetime.defer(() => rm(folder, { recursive: true, force: true }));
    await makeRepository(folder, "small", { files: { "README.md": "Small\n" } });
    database = lifetime.own(await throwawayPostgres());
    oneloop = lifetime.own(await Installation.start({ env: { DATABASE_URL: database.url } }));
  });
  afterAll(() => lifetime[Symbol.asyncDispose]());

  it("is what keeps everything, and no other one is made", async () => {
    const url = `file://${join(folder, "small.git")}`;
    const opened = await oneloop.loopJson<WorkspaceSummary>("open", url);
    expect(opened.state).toBe("running");
    expect(existsSync(join(oneloop.dataDir, "installation"))).toBe(true);
    expect(existsSync(join(oneloop.dataDir, "postgres"))).toBe(false);
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      const { rows } = await client.query("select id from workspaces");
      expect(rows).toEqual([{ id: opened.id }]);
    } finally {
      await client.end();
    }
  });
});
