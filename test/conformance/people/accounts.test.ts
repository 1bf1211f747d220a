import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Accounts, type SignedIn } from "../../../server/auth/accounts.ts";
import { keepLocalCode } from "../../../server/auth/local-code.ts";
import { People } from "../../../server/auth/people.ts";
import { UserSettings } from "../../../server/auth/user-settings.ts";
import { Vault } from "../../../server/auth/vault.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { UserSettingsStore } from "../../../server/db/user-settings.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { root } from "../../helpers/installation.ts";
import { enterableFolder, throwawayPostgres } from "../../helpers/postgres.ts";

const lifetime = new Lifetime();
const clock = { at: Date.now(), now: () => clock.at };
const dayMs = 24 * 60 * 60 * 1000;
let database: Database;
let store: AccountStore;
let accounts: Accounts;
let people: People;
let settings: UserSettings;
let olive: SignedIn;

beforeAll(async () => {
  const postgres = lifetime.own(await throwawayPostgres());
  await applyMigrations(postgres.url, join(root, "migrations"));
  const log = createLog({ level: "silent" });
  database = lifetime.own(await Database.connect(postgres.url, log));
  store = new AccountStore(database);
  accounts = new Accounts(store, { clock, ids: randomIds });
  people = new People(store, { accounts, clock, ids: randomIds });
  settings = settingsWith("k".repeat(32));
});

afterAll(() => lifetime[Symbol.asyncDispose]());

beforeEach(async () => {
  const { id } = await accounts.ensureOwner("olive");
  olive = await signIn(await accounts.issueCode(id, "link"));
});

function settingsWith(secretKey: string): UserSettings {
  const vault = new Vault(secretKey);
  return new UserSettings(new UserSettingsStore(database), { vault, clock, ids: randomIds });
}

async function signIn(code: string, kind: "session" | "token" = "session"): Promise<SignedIn> {
  const { secret } = await accounts.exchange({ code, kind, name: "a test" });
  const signedIn = await accounts.authenticate(secret, kind);
  if (signedIn === null) throw new Error("the sign-in is not good");
  return signedIn;
}

/** A member of a name of their own. */
async function member(): Promise<SignedIn> {
  const { code } = await people.add(olive, `m-${randomIds.letters()}${randomIds.letters()}`);
  return signIn(code);
}

describe("a sign-in code", () => {
  it("works once, also for two who come at the same time", async () => {
    const code = await accounts.issueCode(olive.id, "link");
    const tries = await Promise.allSettled([signIn(code), signIn(code)]);
    expect(tries.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expect(signIn(code)).rejects.toMatchObject({ code: "sign-in-code-invalid" });
  });

  it("works for an hour", async () => {
    const early = await accounts.issueCode(olive.id, "link");
    const late = await accounts.issueCode(olive.id, "link");
    clock.at += 59 * 60_000;
    await signIn(early);
    clock.at += 60_001;
    await expect(signIn(late)).rejects.toMatchObject({ code: "sign-in-code-invalid" });
  });

  it("of the data folder is the owner's, and is replaced when it was used", async () => {
    const { path } = lifetime.own(await enterableFolder());
    await member();
    await keepLocalCode(accounts, { dataDir: path, userId: olive.id });
    const read = async () => (await readFile(join(path, "sign-in-code"), "utf8")).trim();
    const first = await read();
    expect(await signIn(first, "token")).toMatchObject({ id: olive.id, role: "owner" });
    expect(await read()).not.toBe(first);
    expect((await signIn(await read(), "token")).role).toBe("owner");
    // Another's code leaves it alone.
    const before = await read();
    await member();
    expect(await read()).toBe(before);
  });
});

describe("a session", () => {
  it("is good for a month, a token for a year, and neither in the other's place", async () => {
    const exchange = async (kind: "session" | "token") =>
      accounts.exchange({ code: await accounts.issueCode(olive.id, "link"), kind, name: "" });
    const [session, token] = [await exchange("session"), await exchange("token")];
    expect(await accounts.authenticate(session.secret, "token")).toBeNull();
    expect(await accounts.authenticate(token.secret, "session")).toBeNull();
    const { tokenId = "" } = (await accounts.authenticate(session.secret, "session")) ?? {};
    clock.at += 30 * dayMs - 1000;
    expect(await accounts.authenticate(session.secret, "session")).not.toBeNull();
    clock.at += 2000;
    expect(await accounts.authenticate(session.secret, "session")).toBeNull();
    expect(await accounts.byTokenId(tokenId)).toBeNull();
    // What hangs on it is closed by this answer (`LiveConnections`).
    expect(await store.thoseThere([tokenId], new Date(clock.at))).toEqual(new Set());
    expect(await store.thoseThere([tokenId], new Date(clock.at - 2000))).toContain(tokenId);
    expect(await accounts.authenticate(token.secret, "token")).not.toBeNull();
    clock.at += 335 * dayMs;
    expect(await accounts.authenticate(token.secret, "token")).toBeNull();
  });

  it("is listed with when it was used last, to the minute, and says which one asks", async () => {
    const { id } = await accounts.ensureOwner("olive");
    const from = clock.at;
    const mine = await signIn(await accounts.issueCode(id, "link"));
    const listed = await people.sessions(mine);
    const current = listed.filter((one) => one.current);
    expect(current).toMatchObject([
      {
        id: mine.tokenId,
        kind: "session",
        name: "a test",
        lastUsedAt: new Date(from).toISOString(),
      },
    ]);
    // One that has ended by time is not listed.
    clock.at += 31 * dayMs;
    expect(await people.sessions(mine)).toEqual([]);
  });

  it("is revoked by its own person only, and then is nobody's", async () => {
    const bob = await member();
    const mine = await signIn(await accounts.issueCode(olive.id, "link"));
    const refused = { code: "not-found", message: "There is no such session or token." };
    await expect(people.revoke(bob, mine.tokenId)).rejects.toMatchObject(refused);
    await expect(people.revoke(bob, "no-such")).rejects.toMatchObject(refused);
    expect(await accounts.byTokenId(mine.tokenId)).toMatchObject({ id: olive.id });
    const told = new Promise<string | null>((resolve) => {
      lifetime.own(database.onRevoked(resolve));
    });
    await people.revoke(olive, mine.tokenId);
    expect(await told).toBe(mine.tokenId);
    expect(await accounts.byTokenId(mine.tokenId)).toBeNull();
    await expect(people.revoke(olive, mine.tokenId)).rejects.toMatchObject(refused);
  });
});

describe("people", () => {
  it("are added, invited and removed by the owner only", async () => {
    const bob = await member();
    const forbidden = { code: "forbidden" };
    await expect(people.list(bob)).rejects.toMatchObject(forbidden);
    await expect(people.add(bob, "eve")).rejects.toMatchObject(forbidden);
    await expect(people.invite(bob, olive.id)).rejects.toMatchObject(forbidden);
    await expect(people.remove(bob, bob.id)).rejects.toMatchObject(forbidden);
    expect((await people.list(olive)).map(({ name }) => name)).not.toContain("eve");
  });

  it("are invited again by id or by name", async () => {
    const bob = await member();
    for (const nameOrId of [bob.id, bob.name]) {
      const { code } = await people.invite(olive, nameOrId);
      expect(await signIn(code)).toMatchObject({ id: bob.id, role: "member" });
    }
    await expect(people.invite(olive, "no-such")).rejects.toMatchObject({ code: "not-found" });
  });

  it("are removed by id or by name, with all that is theirs", async () => {
    for (const by of ["id", "name"] as const) {
      const bob = await member();
      await settings.setVariable(bob.id, { name: "A", value: "x", pattern: "*", secret: true });
      const { code } = await people.invite(olive, bob.id);
      await people.remove(olive, bob[by]);
      expect(await accounts.byTokenId(bob.tokenId)).toBeNull();
      await expect(signIn(code)).rejects.toMatchObject({ code: "sign-in-code-invalid" });
      expect(await settings.listVariables(bob.id)).toEqual([]);
      expect((await people.list(olive)).map(({ id }) => id)).not.toContain(bob.id);
    }
  });

  it.each(["", "A", "a b", "-a", "a-", "a--b", "a/b", "a\nb", "ä", "a".repeat(41)])(
    "are not named %j",
    async (name) => {
      await expect(people.add(olive, name)).rejects.toMatchObject({ code: "bad-input" });
    },
  );

  it("have a name each", async () => {
    const { name } = await member();
    await expect(people.add(olive, name)).rejects.toMatchObject({ code: "conflict" });
    await expect(people.add(olive, "olive")).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("a stored credential", () => {
  const login = { username: "olive", secret: "s3cret" };

  it("is found by its host as git names it, however it was written down", async () => {
    const bob = await member();
    await settings.setCredential(bob.id, { ...login, host: " https://Git.Example:443/ " });
    await settings.setCredential(bob.id, { ...login, host: "git.example:8443", secret: "other" });
    expect(await settings.credentialFor(bob.id, { scheme: "https", host: "git.example" })).toEqual({
      username: "olive",
      password: "s3cret",
    });
    expect(
      await settings.credentialFor(bob.id, { scheme: "https", host: "GIT.example:8443" }),
    ).toMatchObject({
      password: "other",
    });
    expect(await settings.credentialFor(bob.id, { scheme: "https", host: "example" })).toBeNull();
    expect(
      await settings.credentialFor(olive.id, { scheme: "https", host: "git.example" }),
    ).toBeNull();
  });

  it("takes the place of the one before, and says when it was used", async () => {
    const bob = await member();
    const first = await settings.setCredential(bob.id, { ...login, host: "git.example" });
    await settings.credentialFor(bob.id, { scheme: "https", host: "git.example" });
    const [used] = await settings.listCredentials(bob.id);
    expect(used?.lastUsedAt).toBe(new Date(clock.at).toISOString());
    await settings.setCredential(bob.id, { ...login, host: "git.example", secret: "new" });
    const [second, ...more] = await settings.listCredentials(bob.id);
    expect(more).toEqual([]);
    expect(second).toMatchObject({ id: first.id, lastUsedAt: null });
    expect(
      await settings.credentialFor(bob.id, { scheme: "https", host: "git.example" }),
    ).toMatchObject({ password: "new" });
  });

  it.each([
    "",
    "a b",
    "https://",
    "git.example/owner",
    "user@git.example",
    "git.example?x",
    "[",
    "#x",
  ])("is of a host, and not of %j", async (host) => {
    const set = settings.setCredential(olive.id, { ...login, host });
    await expect(set).rejects.toMatchObject({ code: "bad-input" });
  });

  it("under another secret key is an error that says what to do, and can be stored again", async () => {
    const bob = await member();
    await settings.setCredential(bob.id, { ...login, host: "git.example" });
    const moved = settingsWith("another key".repeat(4));
    await expect(
      moved.credentialFor(bob.id, { scheme: "https", host: "git.example" }),
    ).rejects.toThrow(/ONELOOP_SECRET_KEY/);
    expect(await moved.listCredentials(bob.id)).toHaveLength(1);
    await moved.setCredential(bob.id, { ...login, host: "git.example" });
    expect(
      await moved.credentialFor(bob.id, { scheme: "https", host: "git.example" }),
    ).toMatchObject({ password: "s3cret" });
  });
});

describe("a variable", () => {
  const set = (
    userId: string,
    name: string,
    more: Partial<{ value: string; pattern: string; secret: boolean }>,
  ) => settings.setVariable(userId, { name, value: "x", pattern: "*", secret: false, ...more });

  it("under another secret key is named, and another repository's does not matter", async () => {
    const bob = await member();
    await set(bob.id, "TOKEN", { pattern: "git.example/acme/*" });
    const moved = settingsWith("another key".repeat(4));
    await expect(moved.variablesFor(bob.id, "git.example/acme/app")).rejects.toThrow(
      /variable TOKEN .*loop variables remove TOKEN/,
    );
    expect(await moved.variablesFor(bob.id, "git.example/other/app")).toEqual({});
  });

  it("is for the repositories that fit, and the closest pattern wins", async () => {
    const bob = await member();
    await set(bob.id, "A", { value: "all" });
    await set(bob.id, "A", { value: "acme", pattern: "git.example/acme/*" });
    await set(bob.id, "A", { value: "shop", pattern: "git.example/acme/shop" });
    await set(bob.id, "B", { value: "secret", pattern: "*/shop", secret: true });
    // Neither the order of time nor that of the alphabet decides.
    await set(bob.id, "C", { value: "close", pattern: "*/acme/shop" });
    await set(bob.id, "C", { value: "loose", pattern: "git*" });
    const of = (repository: string) => settings.variablesFor(bob.id, repository);
    expect(await of("git.example/acme/shop")).toEqual({ A: "shop", B: "secret", C: "close" });
    expect(await of("git.example/acme/blog")).toEqual({ A: "acme", C: "loose" });
    expect(await of("git.example/else/blog")).toEqual({ A: "all", C: "loose" });
    expect(await settings.variablesFor(olive.id, "git.example/acme/shop")).toEqual({});
  });

  it("that is a secret is never shown again, one that is not is", async () => {
    const bob = await member();
    expect(await set(bob.id, "S", { value: "s3cret", secret: true })).toMatchObject({
      value: null,
    });
    expect(await set(bob.id, "P", { value: "plain" })).toMatchObject({ value: "plain" });
    const listed = await settings.listVariables(bob.id);
    expect(listed.map(({ name, value }) => [name, value])).toEqual([
      ["P", "plain"],
      ["S", null],
    ]);
    // Not a secret any more: with a value that is given, not with the one that is kept.
    expect(await set(bob.id, "S", { value: "other" })).toMatchObject({ value: "other" });
  });

  it.each(["ONELOOP_X", "LD_PRELOAD", "HOME", "PROJECT_SOURCE", "1A", "A-B", "A=B", "", "A\nB"])(
    "is not named %j",
    async (name) => {
      await expect(set(olive.id, name, {})).rejects.toMatchObject({ code: "bad-input" });
    },
  );

  it("has a bounded value, and a person a bounded number of them", async () => {
    const bob = await member();
    const most = 64 * 1024;
    await set(bob.id, "A", { value: "\u00e4".repeat(most / 2) });
    for (const value of ["\u00e4".repeat(most / 2 + 1), "a\0b"]) {
      await expect(set(bob.id, "A", { value })).rejects.toMatchObject({ code: "bad-input" });
    }
    for (let n = 1; n < 200; n += 1) await set(bob.id, `V${n}`, {});
    await expect(set(bob.id, "ONE_MORE", {})).rejects.toMatchObject({ code: "conflict" });
    await set(bob.id, "V1", { value: "in its place" });
  });
});

describe("an SSH key", () => {
  const line =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a@b";

  it("is of one person only, and says who that is", async () => {
    const bob = await member();
    const added = await accounts.addKey(bob.id, { name: "", publicKey: `${line}\n` });
    expect(added).toMatchObject({ name: "a@b", type: "ssh-ed25519" });
    const blob = Buffer.from(line.split(" ")[1] ?? "", "base64");
    expect(await accounts.userOfKey(blob)).toEqual({ userId: bob.id, keyId: added.id });
    for (const user of [bob, olive]) {
      const again = accounts.addKey(user.id, { name: "x", publicKey: line });
      await expect(again).rejects.toMatchObject({ code: "conflict" });
    }
    expect(await accounts.removeKey(olive.id, added.id)).toBe(false);
    expect(await accounts.removeKey(bob.id, added.id)).toBe(true);
    expect(await accounts.userOfKey(blob)).toBeNull();
  });

  it.each([
    ["-----BEGIN OPENSSH PRIVATE KEY-----\nabc", /private key/],
    ["ssh-dss AAAAB3NzaC1kc3MAAACBAP", /no public key/],
    [`${line}\n${line}`, /no public key/],
    [`command="x" ${line}`, /no public key/],
    ["", /no public key/],
  ])("is refused where it is none: %j", async (publicKey, message) => {
    const add = accounts.addKey(olive.id, { name: "x", publicKey });
    await expect(add).rejects.toThrow(message);
  });
});
