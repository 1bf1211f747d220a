import { and, desc, eq, exists, gt, inArray, lt, max, not, or } from "drizzle-orm";
import type { Database } from "./database.ts";
import { signInCodes, sshKeys, tokens, users, workspaces } from "./schema.ts";

export type UserRow = typeof users.$inferSelect;
export type SshKeyRow = typeof sshKeys.$inferSelect;
export type TokenRow = typeof tokens.$inferSelect;

/** Queries on users, codes, tokens and keys. What is removed is told on the revocation channel. */
export class AccountStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get #db(): Database["db"] {
    return this.#database.db;
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

  /** Null when the name is taken. */
  async addUser(user: { id: string; name: string; role: "member" }): Promise<UserRow | null> {
    const [made] = await this.#db.insert(users).values(user).onConflictDoNothing().returning();
    return made ?? null;
  }

  /** All, by name, with how many workspaces they have and when they were seen last. */
  async people(): Promise<{ user: UserRow; workspaces: number; lastSeenAt: Date | null }[]> {
    const seen = this.#db
      .select({ userId: tokens.userId, at: max(tokens.lastUsedAt).as("at") })
      .from(tokens)
      .groupBy(tokens.userId)
      .as("seen");
    return this.#db
      .select({
        user: users,
        workspaces: this.#db.$count(workspaces, eq(workspaces.ownerId, users.id)),
        lastSeenAt: seen.at,
      })
      .from(users)
      .leftJoin(seen, eq(seen.userId, users.id))
      .orderBy(users.name);
  }

  /** By name or id. */
  async findUser(nameOrId: string): Promise<UserRow | null> {
    const [found] = await this.#db
      .select()
      .from(users)
      .where(or(eq(users.name, nameOrId), eq(users.id, nameOrId)));
    return found ?? null;
  }

  /** False while the user has workspaces. */
  async removeUser(id: string): Promise<boolean> {
    const owns = this.#db.select().from(workspaces).where(eq(workspaces.ownerId, id));
    return this.#removeAndTell(id, (tx) =>
      tx
        .delete(users)
        .where(and(eq(users.id, id), not(exists(owns))))
        .returning({ id: users.id }),
    );
  }

  /** Sessions and tokens that are good after `now`, the newest first. */
  async tokensOf(userId: string, now: Date): Promise<TokenRow[]> {
    return this.#db
      .select()
      .from(tokens)
      .where(and(eq(tokens.userId, userId), gt(tokens.expiresAt, now)))
      .orderBy(desc(tokens.createdAt));
  }

  async tokenUsed(id: string, at: Date): Promise<void> {
    await this.#db.update(tokens).set({ lastUsedAt: at }).where(eq(tokens.id, id));
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

  /** Of one that is good after `now`, by its id: for what was handed on from it. */
  async tokenById(id: string, now: Date): Promise<{ token: TokenRow; user: UserRow } | null> {
    const [found] = await this.#db
      .select({ token: tokens, user: users })
      .from(tokens)
      .innerJoin(users, eq(users.id, tokens.userId))
      .where(and(eq(tokens.id, id), gt(tokens.expiresAt, now)));
    return found ?? null;
  }

  /** Ends a session or token of this user; false when there is no such one. */
  async removeToken(userId: string, id: string): Promise<boolean> {
    return this.#removeAndTell(id, (tx) =>
      tx
        .delete(tokens)
        .where(and(eq(tokens.id, id), eq(tokens.userId, userId)))
        .returning({ id: tokens.id }),
    );
  }

  /** Which of these ids are of keys that are there, or of sessions or tokens that are good after `now`. */
  async thoseThere(ids: readonly string[], now: Date): Promise<Set<string>> {
    const wanted = [...ids];
    const [ofTokens, ofKeys] = await Promise.all([
      this.#db
        .select({ id: tokens.id })
        .from(tokens)
        .where(and(inArray(tokens.id, wanted), gt(tokens.expiresAt, now))),
      this.#db.select({ id: sshKeys.id }).from(sshKeys).where(inArray(sshKeys.id, wanted)),
    ]);
    return new Set([...ofTokens, ...ofKeys].map(({ id }) => id));
  }

  async listKeys(userId: string): Promise<SshKeyRow[]> {
    return this.#db
      .select()
      .from(sshKeys)
      .where(eq(sshKeys.userId, userId))
      .orderBy(sshKeys.createdAt);
  }

  /** Null when somebody has this key already. */
  async addKey(key: typeof sshKeys.$inferInsert): Promise<SshKeyRow | null> {
    const [made] = await this.#db.insert(sshKeys).values(key).onConflictDoNothing().returning();
    return made ?? null;
  }

  async findKey(blob: Buffer): Promise<SshKeyRow | null> {
    const [found] = await this.#db.select().from(sshKeys).where(eq(sshKeys.blob, blob));
    return found ?? null;
  }

  async removeKey(userId: string, id: string): Promise<boolean> {
    return this.#removeAndTell(id, (tx) =>
      tx
        .delete(sshKeys)
        .where(and(eq(sshKeys.userId, userId), eq(sshKeys.id, id)))
        .returning({ id: sshKeys.id }),
    );
  }

  /** In one transaction: what is gone has been told, and what was told is gone. */
  async #removeAndTell(
    id: string,
    remove: (tx: Pick<Database["db"], "delete">) => Promise<{ id: string }[]>,
  ): Promise<boolean> {
    return this.#db.transaction(async (tx) => {
      const removed = await remove(tx);
      if (removed.length === 0) return false;
      await this.#database.notifyRevoked(id, tx);
      return true;
    });
  }
}
