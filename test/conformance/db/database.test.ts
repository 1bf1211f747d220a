import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database, databaseFailure, databaseLimits } from "../../../server/db/database.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { throwawayPostgres } from "../../helpers/postgres.ts";

const log = createLog({ level: "silent" });
/** One connection: where it were lost, every query after would fail. */
const limits = {
  ...databaseLimits,
  connections: 1,
  connectMs: 1000,
  statementMs: 500,
  answerMs: 1000,
};
const lifetime = new Lifetime();
let url: string;
let database: Database;

beforeAll(async () => {
  url = lifetime.own(await throwawayPostgres()).url;
  database = lifetime.own(await Database.connect(url, log, limits));
});
afterAll(() => lifetime[Symbol.asyncDispose]());

async function failureOf(work: Promise<unknown>): Promise<string | null> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  return databaseFailure(thrown)?.code ?? null;
}

/** The process of the server that answers on the pool's connection. */
async function backend(): Promise<number> {
  const { rows } = await database.db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  return rows[0]?.pid ?? 0;
}

/** Stands still while `work` is done: it answers nothing, and its connection stays open. */
async function frozen(pid: number, work: () => Promise<void>): Promise<void> {
  process.kill(pid, "SIGSTOP");
  try {
    await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

describe("a database that does not answer in time", () => {
  test("ends a statement that waits for another's lock, and goes on", async () => {
    const other = new Client({ connectionString: url });
    await other.connect();
    try {
      await other.query("select pg_advisory_lock(1)");
      const waits = database.db.execute(sql`select pg_advisory_lock(1)`);
      expect(await failureOf(waits)).toBe("database-unavailable");
      expect(await backend()).toBeGreaterThan(0);
    } finally {
      await other.end();
    }
  });

  test("is given up when it falls silent; the next query has a new connection", async () => {
    const pid = await backend();
    await frozen(pid, async () => {
      expect(await failureOf(backend())).toBe("database-unavailable");
      expect(await backend()).not.toBe(pid);
    });
  });

  test("loses no connection to a transaction that cannot begin", async () => {
    const pid = await backend();
    await frozen(pid, async () => {
      const never = database.db.transaction(() => Promise.resolve());
      expect(await failureOf(never)).toBe("database-unavailable");
      expect(await backend()).not.toBe(pid);
    });
  });

  test("nor to one in the midst of which it falls silent", async () => {
    const pid = await backend();
    await frozenWithin(pid);
    expect(await backend()).not.toBe(pid);
  });

  test("is a failure of its own also where no connection is free", async () => {
    await database.db.transaction(async () => {
      const another = database.db.transaction(() => Promise.resolve());
      expect(await failureOf(another)).toBe("database-unavailable");
    });
  });

  test("is not waited for at the start", async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const silent = `postgres://nobody@127.0.0.1:${port}/none`;
    await expect(Database.connect(silent, log, { ...limits, connectMs: 300 })).rejects.toThrow(
      /timeout/,
    );
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

async function frozenWithin(pid: number): Promise<void> {
  const work = database.db.transaction(async (tx) => {
    process.kill(pid, "SIGSTOP");
    await tx.execute(sql`select 1`);
  });
  try {
    expect(await failureOf(work)).toBe("database-unavailable");
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

test("what was asked wrongly is no failure of the database", async () => {
  expect(await failureOf(database.db.execute(sql`select nothing`))).toBeNull();
  const undone = database.db.transaction(() => Promise.reject(new Error("mine")));
  await expect(undone).rejects.toThrow("mine");
  expect(await backend()).toBeGreaterThan(0);
});

test("who listens is told of a gap, and hears every change once after it", async () => {
  const told: (string | null)[] = [];
  let wake = (): void => undefined;
  const heard = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  using _listening = database.onChange((id) => {
    told.push(id);
    wake();
  });
  const gap = heard();
  await database.db.execute(
    sql`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'`,
  );
  await gap;
  const change = heard();
  await database.notify("w1");
  await change;
  expect(told).toEqual([null, "w1"]);
});
