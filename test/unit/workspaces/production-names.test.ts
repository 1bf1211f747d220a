import { expect, it } from "vitest";
import { Gate } from "../../../server/workspaces/mirror/gate.ts";
import { mirroredServices } from "../../../server/workspaces/mirror/mirrored.ts";
import { ProductionNames } from "../../../server/workspaces/mirror/production-names.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { mirrored, MirrorRig, owner } from "./mirror-rig.ts";

const plan = planOf([
  service("dev"),
  mirrored("api"),
  mirrored("api-proxy", { partOf: "api" }),
  mirrored("db"),
  mirrored("mail"),
]);

/** Names whose sandboxes are made when the test says so, and what was begun of them. */
function rig() {
  const begun: string[] = [];
  const making = new Map<string, { made: () => void; failed: () => void }>();
  const names = new ProductionNames({ owner, name: "app", plan }, mirroredServices(plan), {
    engine: {
      ensureSandbox: (_spec, { service: name = "", signal }) =>
        new Promise((resolve, reject) => {
          begun.push(name);
          const failed = (): void => reject(new Error("it cannot be made"));
          making.set(name, { made: resolve, failed });
          signal.addEventListener("abort", failed);
        }),
    },
    gate: new Gate(4),
    step: (_name, signal, work) => work({ signal }),
    note: () => undefined,
  });
  return { names, begun, making };
}

/** All that can happen without the test's doing has happened. */
const atRest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("are made one after the other ahead, and the rest at once when the workspace runs", async () => {
  const { names, begun, making } = rig();
  names.makeAhead();
  await atRest();
  expect(begun).toEqual(["api"]);
  making.get("api")?.made();
  await atRest();
  expect(begun).toEqual(["api", "db"]);
  const all = names.makeAll(new Set());
  await atRest();
  expect(begun).toEqual(["api", "db", "mail"]);
  for (const { made } of making.values()) made();
  await all;
  await atRest();
  expect(begun).toEqual(["api", "db", "mail"]);
});

it("are made of what is not there, and one that cannot be made keeps nobody waiting", async () => {
  const { names, begun, making } = rig();
  const all = names.makeAll(new Set(["db"]));
  await atRest();
  expect(begun).toEqual(["api", "mail"]);
  making.get("api")?.failed();
  making.get("mail")?.made();
  await all;
});

it("wait for what another still makes, and end with their workspace", async () => {
  const { names, begun } = rig();
  let end = (): void => undefined;
  names.makeAhead(new Promise((resolve) => (end = resolve)));
  await atRest();
  expect(begun).toEqual([]);
  end();
  await atRest();
  expect(begun).toEqual(["api"]);
  await names.end();
  await names.makeAll(new Set());
  expect(begun).toEqual(["api"]);
});

it("are made while the workspace starts, and again for a start after one that failed", async () => {
  await using world = await MirrorRig.starting([mirrored("api"), mirrored("db")]);
  const made = (): number => world.engine.calls.filter((call) => call === "ensureSandbox").length;
  const workspace = made();
  world.engine.hangNext("ensureSandbox");
  world.mirrors.networkReady(world.row);
  await atRest();
  expect(made()).toBe(workspace + 1);
  world.mirrors.networkReady(world.row);
  await atRest();
  expect(made()).toBe(workspace + 3);
  expect(world.states).toEqual({});
  world.mirrors.running(world.row);
  for (const name of ["api", "db"]) await world.state(name, "running");
  expect(made()).toBe(workspace + 3);
  // It runs: what a later start of the workspace's own members finds ready is no other's.
  world.mirrors.networkReady(world.row);
  await atRest();
  expect(made()).toBe(workspace + 3);
});
