import { DrizzleQueryError, sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { Client, DatabaseError, Pool, type ClientConfig, type PoolClient } from "pg";
import { OneloopError } from "../protocol/errors.ts";
import type { Log } from "../util/log.ts";
import * as schema from "./schema.ts";

export type Db = NodePgDatabase<typeof schema>;

/** PostgreSQL's channel on which the ids of changed workspaces are told. */
const channel = "oneloop_workspaces";
/** And the one on which the ids of revoked sessions, tokens and SSH keys, and of removed people. */
const revokedChannel = "oneloop_revoked";

/** Between attempts to listen again after the database went away. */
const relistenAfterMs = 1000;

export interface DatabaseLimits {
  /** Connections of the pool. */
  readonly connections: number;
  readonly connectMs: number;
  readonly statementMs: number;
  readonly answerMs: number;
  readonly idleInTransactionMs: number;
}

export const databaseLimits: DatabaseLimits = {
  connections: 10,
  // To reach the server, or to get a connection that the others have: a person waits for it.
  connectMs: 15_000,
  // Every statement is a few rows by an index: what takes longer waits for a lock, or a sick disk.
  statementMs: 15_000,
  // Longer than the server's own end of a statement: it is for a server that says nothing any more.
  answerMs: 20_000,
  // A control plane that stands still within a transaction holds up the others that share the rows.
  idleInTransactionMs: 30_000,
};

/**
 * Classes of SQLSTATE (PostgreSQL's manual, appendix A) with which the database says that it cannot,
 * rather than that it was asked for something wrong: connection, resources, lock not available and
 * the like, an operator's or a deadline's end, its system.
 */
const unavailableClasses = new Set(["08", "53", "55", "57", "58"]);

/** The failure of the database itself in what a query threw; null for all else. */
export function databaseFailure(thrown: unknown): OneloopError | null {
  if (thrown instanceof OneloopError) return thrown.code === "database-unavailable" ? thrown : null;
  if (!(thrown instanceof DrizzleQueryError)) return null;
  const { cause } = thrown;
  const isRefused =
    cause instanceof DatabaseError && !unavailableClasses.has(cause.code?.slice(0, 2) ?? "");
  return isRefused ? null : unavailable(thrown);
}

function unavailable(cause: unknown): OneloopError {
  const message = "Oneloop's database does not answer in time. Try again in a moment.";
  return new OneloopError("database-unavailable", message, { cause });
}

/** Called with the id of a workspace that changed, or `null` after a gap: look at everything. */
export type ChangeListener = (workspaceId: string | null) => void;

/** Called with the id of what is good no longer, or `null` after a gap: ask about everything. */
export type RevocationListener = (id: string | null) => void;

/** The database: a pool for queries, and one connection that listens for changes. */
export class Database implements AsyncDisposable {
  readonly db: Db;
  readonly #pool: Pool;
  readonly #config: ClientConfig;
  readonly #log: Log;
  readonly #listeners = new Set<ChangeListener>();
  readonly #revocationListeners = new Set<RevocationListener>();
  #listening: Client | null = null;
  #relisten: NodeJS.Timeout | null = null;
  #ended = false;

  private constructor(url: string, log: Log, limits: DatabaseLimits) {
    this.#log = log;
    this.#config = {
      connectionString: url,
      connectionTimeoutMillis: limits.connectMs,
      statement_timeout: limits.statementMs,
      query_timeout: limits.answerMs,
      idle_in_transaction_session_timeout: limits.idleInTransactionMs,
      // A server that vanished without a word is noticed also where nothing is asked.
      keepAlive: true,
    };
    this.#pool = new Pool({ ...this.#config, max: limits.connections });
    // An idle connection that breaks is replaced at the next query; it must not end the process.
    this.#pool.on("error", (error) =>
      log.warn({ err: error }, "an idle database connection broke"),
    );
    this.db = drizzle(this.#pool, { schema });
    // Drizzle's own never gives back the connection of a transaction that could not begin, and gives
    // back one that hangs as if it were good.
    this.db.transaction = (work, config) => this.#transaction(work, config);
  }

  /** @param url of PostgreSQL 14 or newer, with the migrations applied. */
  static async connect(url: string, log: Log, limits = databaseLimits): Promise<Database> {
    const database = new Database(url, log, limits);
    try {
      await database.#listen();
      return database;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Tells every control plane on this database that a workspace changed. */
  async notify(workspaceId: string): Promise<void> {
    await this.db.execute(sql`select pg_notify(${channel}, ${workspaceId})`);
  }

  /** Subscribes to changes until the returned resource is disposed. */
  onChange(listener: ChangeListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Tells every control plane, when `within` is committed, that this id is good no longer. */
  async notifyRevoked(id: string, within: Pick<Db, "execute">): Promise<void> {
    await within.execute(sql`select pg_notify(${revokedChannel}, ${id})`);
  }

  /** Subscribes to revocations until the returned resource is disposed. */
  onRevoked(listener: RevocationListener): Disposable {
    this.#revocationListeners.add(listener);
    return { [Symbol.dispose]: () => this.#revocationListeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    if (this.#relisten !== null) clearTimeout(this.#relisten);
    await this.#listening?.end();
    await this.#pool.end();
  }

  /** @throws OneloopError `database-unavailable`, where there is no connection. */
  async #transaction<Result>(
    work: (tx: Parameters<Parameters<Db["transaction"]>[0]>[0]) => Promise<Result>,
    config?: Parameters<Db["transaction"]>[1],
  ): Promise<Result> {
    const client = await this.#connection();
    let isBroken = false;
    // Unheard, it would end the process; the query that waits fails with it.
    const broke = (): void => void (isBroken = true);
    client.on("error", broke);
    try {
      return await drizzle(client, { schema }).transaction(work, config);
    } catch (error) {
      isBroken ||= databaseFailure(error) !== null;
      throw error;
    } finally {
      client.release(isBroken);
      client.off("error", broke);
    }
  }

  async #connection(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #listen(): Promise<void> {
    const client = new Client(this.#config);
    client.on("notification", (message) => {
      const revoked = message.channel === revokedChannel;
      const listeners = revoked ? this.#revocationListeners : this.#listeners;
      for (const listener of listeners) listener(message.payload ?? null);
    });
    client.on("error", (error) => this.#log.warn({ err: error }, "the listening connection broke"));
    client.on("end", () => {
      // One that never listened was thrown away by who asked for it.
      if (this.#listening !== client) return;
      this.#listening = null;
      if (!this.#ended) this.#listenLater();
    });
    try {
      await client.connect();
      await client.query(`listen ${channel}; listen ${revokedChannel}`);
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    if (this.#ended) await client.end();
    else this.#listening = client;
  }

  #listenLater(): void {
    this.#relisten = setTimeout(() => {
      this.#listen().then(
        () => {
          // What was told meanwhile is lost: everybody looks again.
          for (const listener of this.#listeners) listener(null);
          for (const listener of this.#revocationListeners) listener(null);
        },
        () => {
          if (!this.#ended) this.#listenLater();
        },
      );
    }, relistenAfterMs);
  }
}
