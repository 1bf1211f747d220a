import { and, eq } from "drizzle-orm";
import type { Database } from "./database.ts";
import { configurationChoices, credentials, users, variables } from "./schema.ts";

export type CredentialRow = typeof credentials.$inferSelect;
export type VariableRow = typeof variables.$inferSelect;
export type ProfileRow = Pick<
  typeof users.$inferSelect,
  "commitName" | "commitEmail" | "dotfilesUrl"
>;

/** Queries on what a person keeps for their workspaces. Secrets come and go sealed. */
export class UserSettingsStore {
  readonly #db: Database["db"];

  constructor(database: Database) {
    this.#db = database.db;
  }

  async profile(userId: string): Promise<ProfileRow | null> {
    const [row] = await this.#db
      .select({
        commitName: users.commitName,
        commitEmail: users.commitEmail,
        dotfilesUrl: users.dotfilesUrl,
      })
      .from(users)
      .where(eq(users.id, userId));
    return row ?? null;
  }

  async setProfile(userId: string, change: Partial<ProfileRow>): Promise<void> {
    if (Object.keys(change).length === 0) return;
    await this.#db.update(users).set(change).where(eq(users.id, userId));
  }

  async credentials(userId: string): Promise<CredentialRow[]> {
    return this.#db
      .select()
      .from(credentials)
      .where(eq(credentials.userId, userId))
      .orderBy(credentials.host);
  }

  async credential(userId: string, host: string): Promise<CredentialRow | null> {
    const [row] = await this.#db
      .select()
      .from(credentials)
      .where(and(eq(credentials.userId, userId), eq(credentials.host, host)));
    return row ?? null;
  }

  /** In the place of the person's credential of this host, if there is one. */
  async setCredential(row: typeof credentials.$inferInsert): Promise<CredentialRow> {
    const { id: _id, userId: _user, host: _host, ...change } = row;
    const [stored] = await this.#db
      .insert(credentials)
      .values(row)
      .onConflictDoUpdate({ target: [credentials.userId, credentials.host], set: change })
      .returning();
    if (stored === undefined) throw new Error("insert returned no row");
    return stored;
  }

  async credentialUsed(id: string, at: Date): Promise<void> {
    await this.#db.update(credentials).set({ lastUsedAt: at }).where(eq(credentials.id, id));
  }

  async removeCredential(userId: string, id: string): Promise<boolean> {
    const removed = await this.#db
      .delete(credentials)
      .where(and(eq(credentials.userId, userId), eq(credentials.id, id)))
      .returning({ id: credentials.id });
    return removed.length > 0;
  }

  async variables(userId: string): Promise<VariableRow[]> {
    return this.#db
      .select()
      .from(variables)
      .where(eq(variables.userId, userId))
      .orderBy(variables.name, variables.pattern);
  }

  /** In the place of the person's variable of this name and pattern, if there is one. */
  async setVariable(row: typeof variables.$inferInsert): Promise<VariableRow> {
    const [stored] = await this.#db
      .insert(variables)
      .values(row)
      .onConflictDoUpdate({
        target: [variables.userId, variables.name, variables.pattern],
        set: { value: row.value, secret: row.secret },
      })
      .returning();
    if (stored === undefined) throw new Error("insert returned no row");
    return stored;
  }

  async removeVariable(userId: string, id: string): Promise<boolean> {
    const removed = await this.#db
      .delete(variables)
      .where(and(eq(variables.userId, userId), eq(variables.id, id)))
      .returning({ id: variables.id });
    return removed.length > 0;
  }

  /** The path that the person chose; null where they were not asked. */
  async configurationChoice(userId: string, repository: string): Promise<string | null> {
    const [row] = await this.#db
      .select({ path: configurationChoices.path })
      .from(configurationChoices)
      .where(
        and(
          eq(configurationChoices.userId, userId),
          eq(configurationChoices.repository, repository),
        ),
      );
    return row?.path ?? null;
  }

  async setConfigurationChoice(row: typeof configurationChoices.$inferInsert): Promise<void> {
    await this.#db
      .insert(configurationChoices)
      .values(row)
      .onConflictDoUpdate({
        target: [configurationChoices.userId, configurationChoices.repository],
        set: { path: row.path },
      });
  }
}
