import { createHash } from "node:crypto";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Accounts, type SignedIn } from "../../../server/auth/accounts.ts";
import { People } from "../../../server/auth/people.ts";
import { SshCodes } from "../../../server/auth/ssh-codes.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { SshCodeStore } from "../../../server/db/ssh-codes.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { root } from "../../helpers/installation.ts";
import { throwawayPostgres } from "../../helpers/postgres.ts";

const lifetime = new Lifetime();
const clock = { at: Date.now(), now: () => clock.at };
const minuteMs = 60_000;
let url: string;
let accounts: Accounts;
let people: People;
let codes: SshCodes;
let off: SshCodes;
/** With a session of their own for each test. */
let olive: SignedIn;

beforeAll(async () => {
  ({ url } = lifetime.own(await throwawayPostgres()));
  await applyMigrations(url, join(root, "migrations"));
  const database = lifetime.own(await Database.connect(url, createLog({ level: "silent" })));
  const store = new AccountStore(database);
  accounts = new Accounts(store, { clock, ids: randomIds });
  people = new People(store, { accounts, clock, ids: randomIds });
  const codeStore = new SshCodeStore(database);
  codes = new SshCodes(codeStore, { enabled: true, clock, ids: randomIds });
  off = new SshCodes(codeStore, { enabled: false, clock, ids: randomIds });
});

afterAll(() => lifetime[Symbol.asyncDispose]());

beforeEach(async () => {
  const { id } = await accounts.ensureOwner("olive");
  olive = await signIn(await accounts.issueCode(id, "link"));
});

async function signIn(code: string): Promise<SignedIn> {
  const { secret } = await accounts.exchange({ code, kind: "session", name: "a test" });
  const signedIn = await accounts.authenticate(secret, "session");
  if (signedIn === null) throw new Error("the sign-in is not good");
  return signedIn;
}

const olives = (): object => ({ userId: olive.id, credentialId: olive.tokenId });

describe("a one-time code of ssh", () => {
  it("says whose session asked for it, once, also to two who come at the same time", async () => {
    const { code } = await codes.issue(olive);
    const spent = await Promise.all([codes.spend(code), codes.spend(code)]);
    expect(spent).toContainEqual(olives());
    expect(spent).toContain(null);
    expect(await codes.spend(code)).toBeNull();
  });

  it("has more than 60 random bits, in letters that look like nothing else", async () => {
    const { code } = await codes.issue(olive);
    expect(code).toMatch(/^([bcdfghjkmnpqrstvwxz]{4}-){3}[bcdfghjkmnpqrstvwxz]{4}$/);
    expect(16 * Math.log2("bcdfghjkmnpqrstvwxz".length)).toBeGreaterThan(60);
    expect((await codes.issue(olive)).code).not.toBe(code);
  });

  it("may be typed in capitals, with blanks, and without its dashes", async () => {
    for (const typed of [
      (code: string) => ` ${code.toUpperCase()}\n`,
      (code: string) => code.replaceAll("-", ""),
      (code: string) => code.replaceAll("-", " "),
    ]) {
      const { code } = await codes.issue(olive);
      expect(await codes.spend(typed(code))).toEqual(olives());
    }
  });

  it.each([
    "",
    "bcdf",
    "bcdf-ghjk-mnpq-rstv",
    "x".repeat(100_000),
    "bcdf-ghjk-mnpq-rstv-bcdf",
    "'\0",
  ])("is none of another form, and none that nobody asked for (case %#)", async (typed) => {
    await codes.issue(olive);
    expect(await codes.spend(typed)).toBeNull();
  });

  it("is good for five minutes", async () => {
    const first = await codes.issue(olive);
    expect(Date.parse(first.expiresAt) - clock.at).toBe(5 * minuteMs);
    clock.at += 5 * minuteMs - 1;
    expect(await codes.spend(first.code)).toEqual(olives());
    const second = await codes.issue(olive);
    clock.at += 5 * minuteMs;
    expect(await codes.spend(second.code)).toBeNull();
  });

  it("takes the place of its session's earlier one, and of no other session's", async () => {
    const other = await signIn(await accounts.issueCode(olive.id, "link"));
    const [first, others] = [await codes.issue(olive), await codes.issue(other)];
    const second = await codes.issue(olive);
    expect(await codes.spend(first.code)).toBeNull();
    expect(await codes.spend(second.code)).toEqual(olives());
    expect(await codes.spend(others.code)).toEqual({
      userId: olive.id,
      credentialId: other.tokenId,
    });
  });

  it("goes with its session, by revocation and by time, and with its person", async () => {
    const { code } = await codes.issue(olive);
    await accounts.revoke(olive.id, olive.tokenId);
    expect(await codes.spend(code)).toBeNull();

    olive = await signIn(await accounts.issueCode(olive.id, "link"));
    const name = `m-${randomIds.letters()}${randomIds.letters()}`;
    const member = await signIn((await people.add(olive, name)).code);
    const members = await codes.issue(member);
    await people.remove(olive, name);
    expect(await codes.spend(members.code)).toBeNull();

    // The session's month ends before the code's five minutes.
    clock.at += 30 * 24 * 60 * minuteMs - minuteMs;
    const late = await codes.issue(olive);
    clock.at += 2 * minuteMs;
    expect(await codes.spend(late.code)).toBeNull();
  });

  it("is kept as a hash alone", async () => {
    const { code } = await codes.issue(olive);
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query<{ hash: Buffer }>(
        "select * from ssh_codes where token_id = $1",
        [olive.tokenId],
      );
      const plain = code.replaceAll("-", "");
      expect(rows.map(({ hash }) => hash)).toEqual([createHash("sha256").update(plain).digest()]);
      expect(Object.keys(rows[0] ?? {}).sort()).toEqual(["expires_at", "hash", "token_id"]);
    } finally {
      await client.end();
    }
  });

  it("is for nobody where the operator did not turn it on", async () => {
    await expect(off.issue(olive)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("ONELOOP_SSH_CODES=on"),
    });
  });
});
