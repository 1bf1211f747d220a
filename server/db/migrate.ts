import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Client } from "pg";
import { OneloopError } from "../protocol/errors.ts";

/** Any number that nothing else in this database locks: "oneloop" in ASCII. */
const migrationLock = "31365104304877424";

/**
 * Brings a database to the schema of this version. Control planes that share it take turns: the lock
 * belongs to the connection, and ends with it.
 *
 * @param folder of the SQL files that drizzle-kit generated.
 * @throws OneloopError `database-unavailable`
 */
export async function applyMigrations(databaseUrl: string, folder: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  // A broken connection also fails the query that waits; unheard, it would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT pg_advisory_lock($1::bigint)", [migrationLock]);
    await migrate(drizzle(client), { migrationsFolder: folder });
  } catch (error) {
    throw new OneloopError(
      "database-unavailable",
      "The database cannot be brought to this version's schema. Check that it answers and that " +
        "its user may create tables, then start again.",
      { cause: error },
    );
  } finally {
    await client.end();
  }
}
