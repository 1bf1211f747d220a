import { and, eq, gt, lt, or } from "drizzle-orm";
import type { Database } from "./database.ts";
import { signInCodes, sshKeys, tokens, users } from "./schema.ts";

export type UserRow = typeof users.$inferSelect;
export type SshKeyRow = typeof sshKeys.$inferSelect;
export type TokenRow = typeof tokens.$inferSelect;

/** Queries on users, codes, tokens and keys. */
export class AccountStore {
  readonly #db: Database["db"];

  constructor(database: Database) {
    this.#db = database.db;
  }

  /** The first owner, made if there is none. */
  async ensureOwner(user: { id: string; name: string }): Promise<UserRow> {
    return this.#db.transaction(async (tx) => {
      const [existing] = await tx.select().from(users).where(eq(users.role, "owner")).limit(1);
      if (existing !== undefined) return existing;
      const [made] = await tx
        .insert(users)
        .values({ ...user, role: "owner" })
        .returning();
      if (made === undefined) throw new Error("insert returned no row");
      return made;
    });
  }

  async addCode(code: typeof signInCodes.$inferInsert): Promise<void> {
    await this.#db.insert(signInCodes).values(code);
  }

  /** Removes expired codes, and the local one that a new one will replace. */
  async dropOldCodes(now: Date): Promise<void> {
    await this.#db
      .delete(signInCodes)
      .where(or(lt(signInCodes.expiresAt, now), eq(signInCodes.purpose, "local")));
  }

  /** Spends a code: of two callers with the same code one gets the user, the other null. */
  async spendCode(
    hash: Buffer,
    now: Date,
  ): Promise<{ user: UserRow; purpose: "link" | "local" } | null> {
    const [spent] = await this.#db
      .delete(signInCodes)
      .where(and(eq(signInCodes.hash, hash), gt(signInCodes.expiresAt, now)))
      .returning();
    if (spent === undefined) return null;
    const [user] = await this.#db.select().from(users).where(eq(users.id, spent.userId));
    return user === undefined ? null : { user, purpose: spent.purpose };
  }

  async addToken(token: typeof tokens.$inferInsert): Promise<void> {
    await this.#db.insert(tokens).values(token);
  }

  async findToken(hash: Buffer, now: Date): Promise<{ token: TokenRow; user: UserRow } | null> {
    const [found] = await this.#db
      .select({ token: tokens, user: users })
      .from(tokens)
      .innerJoin(users, eq(users.id, tokens.userId))
      .where(and(eq(tokens.hash, hash), gt(tokens.expiresAt, now)));
    return found ?? null;
  }

  async removeToken(id: string): Promise<void> {
    await this.#db.delete(tokens).where(eq(tokens.id, id));
  }

  async listKeys(userId: string): Promise<SshKeyRow[]> {
    return this.#db
      .select()
      .from(sshKeys)
      .where(eq(sshKeys.userId, userId))
      .orderBy(sshKeys.createdAt);
  }

  /** Null when somebody has this key already; `owner` then says who. */
  async addKey(key: typeof sshKeys.$inferInsert): Promise<SshKeyRow | null> {
    const [made] = await this.#db.insert(sshKeys).values(key).onConflictDoNothing().returning();
    return made ?? null;
  }

  async findKey(blob: Buffer): Promise<SshKeyRow | null> {
    const [found] = await this.#db.select().from(sshKeys).where(eq(sshKeys.blob, blob));
    return found ?? null;
  }

  async removeKey(userId: string, id: string): Promise<boolean> {
    const removed = await this.#db
      .delete(sshKeys)
      .where(and(eq(sshKeys.userId, userId), eq(sshKeys.id, id)))
      .returning({ id: sshKeys.id });
    return removed.length > 0;
  }
}
