import { asc, eq } from "drizzle-orm";
import type { Database } from "./database.ts";
import { environments } from "./schema.ts";

export type EnvironmentRow = typeof environments.$inferSelect;

/** Queries on the engines that are looked at. */
export class EnvironmentStore {
  readonly #db: Database["db"];

  constructor(database: Database) {
    this.#db = database.db;
  }

  /** Null when the name is taken. */
  async add(row: typeof environments.$inferInsert): Promise<EnvironmentRow | null> {
    const [made] = await this.#db
      .insert(environments)
      .values(row)
      .onConflictDoNothing()
      .returning();
    return made ?? null;
  }

  async list(): Promise<EnvironmentRow[]> {
    return this.#db.select().from(environments).orderBy(asc(environments.name));
  }

  async byName(name: string): Promise<EnvironmentRow | null> {
    const [found] = await this.#db.select().from(environments).where(eq(environments.name, name));
    return found ?? null;
  }

  async remove(name: string): Promise<boolean> {
    const removed = await this.#db
      .delete(environments)
      .where(eq(environments.name, name))
      .returning({ id: environments.id });
    return removed.length > 0;
  }
}
