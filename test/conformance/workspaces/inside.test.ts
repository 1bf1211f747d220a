import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { UserSettings } from "../../../server/auth/user-settings.ts";
import { Vault } from "../../../server/auth/vault.ts";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { workspaces } from "../../../server/db/schema.ts";
import { UserSettingsStore } from "../../../server/db/user-settings.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../../server/db/workspaces.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { WorkspaceSetup } from "../../../server/protocol/supervisor.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { Inside } from "../../../server/workspaces/inside.ts";
import { TaskNews } from "../../../server/workspaces/task-news.ts";
import { root } from "../../helpers/installation.ts";
import { throwawayPostgres } from "../../helpers/postgres.ts";
import { insertWorkspace } from "../../helpers/workspace-row.ts";

const lifetime = new Lifetime();
const log = createLog({ level: "silent" });
let database: Database;
let store: WorkspaceStore;
let settings: UserSettings;
let inside: Inside;
let row: WorkspaceRow;
let told: WorkspaceSetup[];
/** What a supervisor that is told of a setup does first. */
let atTelling: () => Promise<void>;
let now = 0;

beforeAll(async () => {
  const { url } = lifetime.own(await throwawayPostgres());
  await applyMigrations(url, join(root, "migrations"));
  database = lifetime.own(await Database.connect(url, log));
  await new AccountStore(database).ensureOwner({ id: "ada", name: "ada" });
  store = new WorkspaceStore(database);
  settings = settingsUnder("one key");
  row = await insertWorkspace(database, { id: "w1", name: "app", ownerId: "ada" });
  inside = lifetime.own(
    new Inside({
      store,
      settings,
      supervisors: {
        json: async (_target, { body }) => {
          await atTelling();
          told.push(body as WorkspaceSetup);
          return null;
        },
        exec: () => Promise.reject(new OneloopError("workspace-not-running", "It is gone.")),
        upgrade: () => Promise.reject(new OneloopError("workspace-not-running", "It is gone.")),
      },
      tasks: new TaskNews(),
      address: { publicUrl: "http://app.localhost", domain: "localhost", sshHost: "x", sshPort: 1 },
      secretKey: "a key of this installation, long enough",
      clock: { ...systemClock, now: () => now },
      log,
    }),
  );
  inside.serve({
    summary: () => Promise.reject(new Error("not asked for")),
    stop: () => Promise.reject(new Error("not asked for")),
  });
});
afterAll(() => lifetime[Symbol.asyncDispose]());
beforeEach(() => {
  told = [];
  atTelling = () => Promise.resolve();
});

function settingsUnder(key: string): UserSettings {
  return new UserSettings(new UserSettingsStore(database), {
    vault: new Vault(key),
    clock: systemClock,
    ids: randomIds,
  });
}

const owner = { kind: "workspace", id: "w1" } as const;

function asked(protocol: string, host: string): Promise<unknown> {
  return inside.onAsk(owner, { kind: "credential", protocol, host, path: null });
}

describe("a credential that a workspace asks for", () => {
  it("is of the opened repository's host only, not of one that its devfile names", async () => {
    await settings.setCredential("ada", { host: "git.example", username: "a", secret: "one" });
    await settings.setCredential("ada", { host: "other.example", username: "a", secret: "two" });
    const { checkout } = row.plan;
    if (checkout === null) throw new Error("it has a checkout");
    const project = { ...checkout, url: "https://other.example/x.git", path: "/workspace/x" };
    await database.db.update(workspaces).set({ plan: { ...row.plan, projects: [project] } });
    expect(await asked("https", "git.example")).toEqual({ username: "a", password: "one" });
    expect(await asked("https", "other.example")).toBeNull();
    // Not in the clear.
    expect(await asked("http", "git.example")).toBeNull();
  });

  it("for https is not sent to http, and a private key to no web server", async () => {
    const ssh = { scheme: "ssh", host: "git.example" };
    expect(await settings.credentialFor("ada", { scheme: "http", host: "git.example" })).toBeNull();
    expect(await settings.credentialFor("ada", ssh)).toBeNull();
    // As a form of one line gives it: the breaks are back where ssh wants them.
    const pasted = "-----BEGIN OPENSSH PRIVATE KEY----- abc def -----END OPENSSH PRIVATE KEY-----";
    await settings.setCredential("ada", { host: "git.example", username: "git", secret: pasted });
    expect(await settings.credentialFor("ada", ssh)).toEqual({
      username: "git",
      password: "-----BEGIN OPENSSH PRIVATE KEY-----\nabcdef\n-----END OPENSSH PRIVATE KEY-----\n",
    });
    // It stands beside the password, not in its place.
    expect(await asked("https", "git.example")).toEqual({ username: "a", password: "one" });
    for (const secret of ["two\nlines", "-----BEGIN NONSENSE-----\nx\n-----END NONSENSE-----"]) {
      const given = { host: "git.example", username: "git", secret };
      await expect(settings.setCredential("ada", given)).rejects.toMatchObject({
        code: "bad-input",
      });
    }
  });
});

describe("what a person keeps", () => {
  it("reaches a workspace that starts, and the newest is told last", async () => {
    let goOn: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (goOn = resolve));
    const turns = [first];
    atTelling = () => turns.shift() ?? Promise.resolve();
    const starting = inside.tellSetup(row);
    await expect.poll(() => turns.length).toBe(0);
    await settings.setVariable("ada", { name: "A", value: "new", pattern: "*", secret: false });
    const all = inside.tellAll("ada");
    goOn();
    await Promise.all([starting, all]);
    expect(told.map(({ env }) => env["A"])).toEqual([undefined, "new"]);
  });

  it("is listed under another key, too, so that it can be stored again", async () => {
    const [listed] = await settingsUnder("another key").listVariables("ada");
    expect(listed).toMatchObject({ name: "A", value: null });
  });
});

describe("word of a workspace", () => {
  it("that lives is written once in a while, however often it says so", async () => {
    await database.db.update(workspaces).set({ state: "running" });
    let changes = 0;
    using _listening = database.onChange(() => void (changes += 1));
    for (now = 100_000; now < 109_000; now += 1000) await inside.onActivity(owner);
    await database.notify("the end");
    await expect.poll(() => changes).toBeGreaterThan(1);
    expect(changes).toBe(2);
  });

  it("of what listens counts while it lives, not after", async () => {
    const ports = [{ port: 3000, process: null }];
    await store.setPorts("w1", ports);
    expect((await store.byId("w1"))?.ports).toEqual(ports);
    await store.setPorts("w1", []);
    await database.db.update(workspaces).set({ state: "stopping" });
    await store.setPorts("w1", ports);
    expect((await store.byId("w1"))?.ports).toEqual([]);
  });
});
