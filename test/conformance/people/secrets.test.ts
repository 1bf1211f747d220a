import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import {
  procedures,
  startTestInstallation,
  TestControlPlane,
  type Credentials,
} from "../../helpers/control-plane.ts";
import { insertWorkspace, untilRunning } from "../../helpers/workspace-row.ts";

const canary = "c4n4ry-c4n4ry";
const lifetime = new Lifetime();
const said: string[] = [];
let plane: TestControlPlane;
let database: Database;
let owner: Credentials;
const workspace = "shop-main-xkd";

beforeAll(async () => {
  const installation = lifetime.own(await startTestInstallation());
  const log = createLog({ level: "silent" });
  database = lifetime.own(await Database.connect(installation.databaseUrl, log));
  await new AccountStore(database).ensureOwner({ id: "owners-id", name: "olive" });
  const { workspaceId } = installation;
  await insertWorkspace(database, { id: workspaceId, name: workspace, ownerId: "owners-id" });
  plane = lifetime.own(await TestControlPlane.start(installation, "secretsx"));
  await untilRunning(database, workspaceId);
  owner = await plane.signIn(plane.signInLink, "token");
});

afterAll(() => lifetime[Symbol.asyncDispose]());

async function call(name: string, input: unknown): Promise<string | undefined> {
  const { body, headers, failure } = await plane.call(name, input, owner);
  said.push(body, JSON.stringify(headers));
  return failure?.code;
}

describe("a secret that was given to the API", () => {
  it("is in no answer, no error and no line of the log", async () => {
    const login = { host: "git.example", username: "olive", secret: canary };
    const variable = { name: "TOKEN", value: canary, secret: true };
    expect(await call("credentials.set", login)).toBeUndefined();
    expect(await call("variables.set", variable)).toBeUndefined();

    // Everything that can be wrong with such a request.
    const wrong: [string, unknown][] = [
      ["credentials.set", { ...login, host: "git.example/path" }],
      ["credentials.set", { ...login, host: `https://olive:${canary}@git.example` }],
      ["credentials.set", { ...login, username: "a\nb" }],
      ["credentials.set", { ...login, secret: `${canary}\n` }],
      ["credentials.set", { ...login, secret: canary.repeat(1000) }],
      ["credentials.set", { ...login, host: 1 }],
      ["credentials.set", { ...login, secret: [canary] }],
      ["variables.set", { ...variable, name: "not a name" }],
      ["variables.set", { ...variable, name: "HOME" }],
      ["variables.set", { ...variable, value: canary.repeat(6000) }],
      ["variables.set", { ...variable, value: `${canary}\0` }],
      ["variables.set", { ...variable, pattern: 1 }],
      ["variables.set", { ...variable, value: { [canary]: canary } }],
    ];
    for (const [name, input] of wrong) expect(await call(name, input)).toBe("bad-input");

    // Everything that can be asked, with and without a thing of that name.
    for (const [name] of procedures()) {
      if (/^(people\.|sessions\.revoke|workspaces\.delete|auth\.signOut)/.test(name)) continue;
      await call(name, {});
      await call(name, { workspace, id: "x", contextUrl: "https://git.example/a/b", port: 1 });
    }

    // And the database fails in the midst of it.
    await database.db.execute("alter table credentials rename to gone_credentials");
    await database.db.execute("alter table variables rename to gone_variables");
    expect(await call("credentials.set", login)).toBe("internal");
    expect(await call("variables.set", variable)).toBe("internal");
    await database.db.execute("alter table gone_credentials rename to credentials");
    await database.db.execute("alter table gone_variables rename to variables");

    // What is kept can still be used, and is nowhere in the database as it was.
    expect(said.join("\n")).not.toContain(canary);
    expect(plane.log()).toContain("procedure failed");
    expect(plane.log()).not.toContain(canary);
    for (const table of ["credentials", "variables", "events", "workspaces"]) {
      const { rows } = await database.db.execute(`select t::text as row from ${table} t`);
      const hex = Buffer.from(canary).toString("hex");
      expect(JSON.stringify(rows)).not.toMatch(new RegExp(`${canary}|${hex}`));
    }
  });

  it("is in none of them for a sign-in's own secrets", async () => {
    const { link } = await plane.ok<{ link: string }>("people.add", { name: "bob" }, owner);
    const code = new URL(link).hash.slice(1);
    const session = await plane.signIn(link, "session");
    const again = await plane.call("auth.exchange", { code, kind: "token" });
    expect(again.failure?.code).toBe("sign-in-code-invalid");
    const list = await plane.call("sessions.list", {}, session);
    const secrets = [code, owner.token ?? "", (session.cookie ?? "").split("=")[1] ?? ""];
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(30);
      expect(`${plane.log()}${again.body}${list.body}`).not.toContain(secret);
    }
  });
});
