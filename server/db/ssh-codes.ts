import { and, eq, gt } from "drizzle-orm";
import type { Database } from "./database.ts";
import { sshCodes, tokens } from "./schema.ts";

/** Queries on the one-time codes of ssh. */
export class SshCodeStore {
  readonly #db: Database["db"];

  constructor(database: Database) {
    this.#db = database.db;
  }

  /** Takes the place of the earlier one of the same session or token. */
  async put(code: typeof sshCodes.$inferInsert): Promise<void> {
    const { hash, expiresAt } = code;
    await this.#db
      .insert(sshCodes)
      .values(code)
      .onConflictDoUpdate({ target: sshCodes.tokenId, set: { hash, expiresAt } });
  }

  /**
   * Spends a code: of two callers with the same code one gets whose it is, the other null. Null, too,
   * where it or its session or token is not good after `now`.
   */
  async spend(hash: Buffer, now: Date): Promise<{ userId: string; tokenId: string } | null> {
    const [spent] = await this.#db
      .delete(sshCodes)
      .where(and(eq(sshCodes.hash, hash), gt(sshCodes.expiresAt, now)))
      .returning({ tokenId: sshCodes.tokenId });
    if (spent === undefined) return null;
    const [found] = await this.#db
      .select({ userId: tokens.userId, tokenId: tokens.id })
      .from(tokens)
      .where(and(eq(tokens.id, spent.tokenId), gt(tokens.expiresAt, now)));
    return found ?? null;
  }
}
