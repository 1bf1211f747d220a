import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { Client, Pool } from "pg";
import type { Log } from "../util/log.ts";
import * as schema from "./schema.ts";

export type Db = NodePgDatabase<typeof schema>;

/** PostgreSQL's channel on which the ids of changed workspaces are told. */
const channel = "oneloop_workspaces";
/** And the one on which the ids of revoked sessions, tokens and SSH keys, and of removed people. */
const revokedChannel = "oneloop_revoked";

/** Between attempts to listen again after the database went away. */
const relistenAfterMs = 1000;

/** Called with the id of a workspace that changed, or `null` after a gap: look at everything. */
export type ChangeListener = (workspaceId: string | null) => void;

/** Called with the id of what is good no longer, or `null` after a gap: ask about everything. */
export type RevocationListener = (id: string | null) => void;

/** The database: a pool for queries, and one connection that listens for changes. */
export class Database implements AsyncDisposable {
  readonly db: Db;
  readonly #pool: Pool;
  readonly #url: string;
  readonly #log: Log;
  readonly #listeners = new Set<ChangeListener>();
  readonly #revocationListeners = new Set<RevocationListener>();
  #listening: Client | null = null;
  #relisten: NodeJS.Timeout | null = null;
  #ended = false;

  private constructor(url: string, log: Log) {
    this.#url = url;
    this.#log = log;
    this.#pool = new Pool({ connectionString: url, max: 10 });
    // An idle connection that breaks is replaced at the next query; it must not end the process.
    this.#pool.on("error", (error) =>
      log.warn({ err: error }, "an idle database connection broke"),
    );
    this.db = drizzle(this.#pool, { schema });
  }

  /** @param url of PostgreSQL 14 or newer, with the migrations applied. */
  static async connect(url: string, log: Log): Promise<Database> {
    const database = new Database(url, log);
    await database.#listen();
    return database;
  }

  /** Tells every control plane on this database that a workspace changed. */
  async notify(workspaceId: string): Promise<void> {
    await this.#pool.query("select pg_notify($1, $2)", [channel, workspaceId]);
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

  async #listen(): Promise<void> {
    const client = new Client({ connectionString: this.#url });
    client.on("notification", (message) => {
      const revoked = message.channel === revokedChannel;
      const listeners = revoked ? this.#revocationListeners : this.#listeners;
      for (const listener of listeners) listener(message.payload ?? null);
    });
    client.on("error", (error) => this.#log.warn({ err: error }, "the listening connection broke"));
    client.on("end", () => {
      this.#listening = null;
      if (!this.#ended) this.#listenLater();
    });
    await client.connect();
    await client.query(`listen ${channel}; listen ${revokedChannel}`);
    this.#listening = client;
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
