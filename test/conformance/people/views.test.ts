import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import {
  startTestInstallation,
  TestControlPlane,
  type Credentials,
  type TestInstallation,
} from "../../helpers/control-plane.ts";
import { service } from "../../helpers/plans.ts";
import { insertWorkspace, untilRunning } from "../../helpers/workspace-row.ts";

const workspace = "shop-main-xkd";
/** An engine that says nothing is waited for 5 s. */
const listedMs = 8000;

const lifetime = new Lifetime();
let installation: TestInstallation;
let plane: TestControlPlane;
let owner: Credentials;

beforeAll(async () => {
  installation = lifetime.own(await startTestInstallation());
  const log = createLog({ level: "silent" });
  const database = lifetime.own(await Database.connect(installation.databaseUrl, log));
  await new AccountStore(database).ensureOwner({ id: "owners-id", name: "olive" });
  const { workspaceId } = installation;
  const mine = { id: workspaceId, name: workspace, ownerId: "owners-id" };
  await insertWorkspace(database, { ...mine, beside: [service("db")] });
  plane = lifetime.own(await TestControlPlane.start(installation, "plane"));
  await untilRunning(database, workspaceId);
  owner = await plane.signIn(plane.signInLink, "token", "the test");
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const states = ({ services }: WorkspaceSummary): string[] => services.map(({ state }) => state);

describe("an engine that does not answer", () => {
  it("leaves the list and a workspace's page; of what only it knows, the state is unknown", async () => {
    const gone = new OneloopError("engine-unreachable", "The engine is gone.");
    installation.engine.failNext("observe", gone);
    const listed = await plane.ok<WorkspaceSummary[]>("workspaces.list", {}, owner);
    expect(listed.map(({ state }) => state)).toEqual(["running"]);
    expect(listed.map(states)).toEqual([["running", "unknown"]]);
    installation.engine.failNext("observe", gone);
    const shown = await plane.ok<WorkspaceSummary>("workspaces.show", { workspace }, owner);
    expect(states(shown)).toEqual(["running", "unknown"]);
    const again = await plane.ok<WorkspaceSummary[]>("workspaces.list", {}, owner);
    expect(again.map(states)).toEqual([["running", "running"]]);
  });

  it("is not waited for longer than a person waits for a page", { timeout: listedMs }, async () => {
    installation.engine.hangNext("observe");
    const listed = await plane.ok<WorkspaceSummary[]>("workspaces.list", {}, owner);
    expect(listed.map(states)).toEqual([["running", "unknown"]]);
  });
});

describe("ports that others may see", () => {
  const set = (port: number, visibility: string) =>
    plane.call("workspaces.setPortVisibility", { workspace, port, visibility }, owner);

  it("are 200 of a workspace at most, and one that is private again counts no more", async () => {
    const all = Array.from({ length: 205 }, (_, index) => 1001 + index);
    const answers = await Promise.all(all.map((port) => set(port, "public")));
    const taken = all.filter((_, index) => answers[index]?.failure === null);
    const [refused = 0] = all.filter((port) => !taken.includes(port));
    expect(taken).toHaveLength(200);
    expect((await set(refused, "public")).failure?.code).toBe("conflict");
    const [one = 0, other = 0] = taken;
    expect((await set(one, "signed-in")).failure).toBeNull();
    expect((await set(refused, "private")).failure).toBeNull();
    expect((await set(other, "private")).failure).toBeNull();
    expect((await set(refused, "public")).failure).toBeNull();
    const { ports } = await plane.ok<WorkspaceSummary>("workspaces.show", { workspace }, owner);
    expect(ports.length).toBeLessThan(10);
  });
});
