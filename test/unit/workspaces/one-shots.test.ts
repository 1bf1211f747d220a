import { beforeEach, describe, expect, test } from "vitest";
import type { NewEvent, WorkspaceRow } from "../../../server/db/workspaces.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import type { PlannedOneShot } from "../../../server/protocol/plan.ts";
import { bringUp, type BringUpParts } from "../../../server/workspaces/bring-up.ts";
import { stepRunner, type Turn } from "../../../server/workspaces/reconciler-turn.ts";
import { stepDeadlines } from "../../../server/workspaces/reconciler-deadlines.ts";
import { stopAll } from "../../../server/workspaces/take-down.ts";
import { facts, planOf, service } from "../../helpers/plans.ts";

const owner: Owner = { kind: "workspace", id: "w" };
const image = "oneloop/workspace:latest";

/** What was run, in its order: `begin NAME` and `end NAME`. */
let ran: string[];
let events: NewEvent[];
let engine: FakeEngine;
let status: Record<string, number>;
/** Runs that go on until their signal ends them. */
let endless: Set<string>;

beforeEach(() => {
  [ran, events, status, endless] = [[], [], {}, new Set()];
  engine = new FakeEngine({
    images: { [image]: facts, "init:1": facts },
    runToEnd: async ({ name }, { signal }) => {
      ran.push(`begin ${name}`);
      if (endless.has(name)) {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        });
      }
      // The others have their turn meanwhile.
      for (let turns = 0; turns < 10; turns += 1) await Promise.resolve();
      ran.push(`end ${name}`);
      return {
        exitCode: status[name] ?? 0,
        output: `first line\n\u001b[2Jthe reason of ${name}\0\n`,
      };
    },
  });
});

function one(name: string, more: Partial<PlannedOneShot> = {}): PlannedOneShot {
  const init = service("init", { image: "init:1", sourcePath: null });
  return { name, when: "before-start", needs: [], service: init, ...more };
}

function workspace(oneShots: PlannedOneShot[], deadlines = stepDeadlines) {
  const plan = { ...planOf([service("dev")]), oneShots };
  const row = {
    ...{ id: owner.id, name: "w", plan, commit: "0".repeat(40), checkedOut: false },
    desired: "stopped",
    afterStop: null as string[] | null,
  };
  const interrupt = new AbortController();
  const turn = (interrupted: AbortSignal): Turn => ({
    row: row as unknown as WorkspaceRow,
    spec: { owner, name: "w", plan },
    interrupted,
    step: stepRunner({ deadlines }),
    record: (change) => Promise.resolve(void Object.assign(row, change)),
  });
  const parts = {
    engine,
    store: { addEvent: (_: string, event: NewEvent) => Promise.resolve(void events.push(event)) },
    supervisors: { remember: () => undefined, forget: () => undefined },
    signer: { publicKey: "" },
    inside: { tellSetup: () => Promise.resolve(), ended: () => Promise.resolve() },
    environmentOf: () => ({ env: {} }),
    archive: () => Promise.reject(new Error("nothing is built here")),
  } as unknown as BringUpParts & Parameters<typeof stopAll>[0];
  return {
    start: () => bringUp(parts, turn(interrupt.signal)),
    stop: () => stopAll(parts, turn(interrupt.signal)),
    /** As a control plane that was started again does it. */
    goOn: () => stopAll(parts, turn(new AbortController().signal)),
    interrupt,
    row,
  };
}

const calls = (...names: string[]): string[] => engine.calls.filter((call) => names.includes(call));
const said = (level: string): string[] =>
  events.flatMap((event) => (event.level === level ? [event.message] : []));

describe("before the start", () => {
  test("each container runs after what it needs, the others beside it, the services after all", async () => {
    await workspace([one("a"), one("b"), one("c", { needs: ["a", "b"] })]).start();
    expect(ran).toEqual(["begin a", "begin b", "end a", "end b", "begin c", "end c"]);
    expect(calls("runToEnd", "ensureMembers", "ensureSandbox")).toEqual([
      ...["ensureSandbox", "runToEnd", "runToEnd", "runToEnd", "ensureMembers"],
    ]);
    expect(said("info")).toContain("Running c (init) before the start");
  });

  test("one that fails fails the start by its name with the end of its output; nothing starts", async () => {
    status = { a: 3 };
    const { start } = workspace([one("a"), one("b", { needs: ["a"] })]);
    await expect(start()).rejects.toMatchObject({
      code: "container-exited",
      message:
        "a, which runs component init before the start, ended with status 3.\nfirst line\nthe reason of a",
    });
    expect(ran).toEqual(["begin a", "end a"]);
    expect(calls("ensureMembers")).toEqual([]);
  });

  test("one that does not end is given up at its deadline, and at a stop at once", async () => {
    endless.add("a");
    const late = workspace([one("a")], { ...stepDeadlines, "before-start": 20 });
    await expect(late.start()).rejects.toMatchObject({
      code: "deadline-exceeded",
      message: expect.stringMatching(/^What runs before the start took longer/) as unknown,
    });
    const stopped = workspace([one("a")]);
    const starting = stopped.start();
    await expect.poll(() => ran.length).toBe(2);
    stopped.interrupt.abort();
    await expect(starting).rejects.toThrow(/abort/);
    expect(calls("ensureMembers")).toEqual([]);
  });

  test("nothing is prepared of what runs already; after a stop it is again", async () => {
    const { start, stop } = workspace([one("a")]);
    await start();
    await start();
    expect(ran).toEqual(["begin a", "end a"]);
    await stop();
    await start();
    expect(ran).toHaveLength(4);
  });
});

describe("after the stop", () => {
  const after = { when: "after-stop" } as const;

  test("containers run once when all have stopped, in the network, which is then gone again", async () => {
    const { start, stop } = workspace([one("a", after), one("b", { ...after, needs: ["a"] })]);
    await start();
    expect(ran).toEqual([]);
    engine.calls.length = 0;
    await stop();
    expect(ran).toEqual(["begin a", "end a", "begin b", "end b"]);
    expect(calls("stop", "ensureSandbox", "runToEnd")).toEqual([
      ...["stop", "ensureSandbox", "runToEnd", "runToEnd", "stop"],
    ]);
    expect(await engine.observe(owner)).toMatchObject({ sandbox: "exited" });
    await stop();
    expect(ran).toHaveLength(4);
  });

  test("one that fails is told, the next is not run, and the workspace has stopped", async () => {
    status = { a: 1 };
    const { start, stop } = workspace([one("a", after), one("b", { ...after, needs: ["a"] })]);
    await start();
    await stop();
    expect(said("error")).toEqual([
      "a, which runs component init after the stop, ended with status 1.\nfirst line\nthe reason of a",
    ]);
    expect(ran).toEqual(["begin a", "end a"]);
    expect(await engine.observe(owner)).toMatchObject({ sandbox: "exited" });
  });

  test("a start that somebody wishes meanwhile ends it", async () => {
    endless.add("a");
    const { start, stop, goOn, interrupt, row } = workspace([one("a", after)]);
    await start();
    const stopping = stop();
    await expect.poll(() => ran.length).toBe(1);
    interrupt.abort();
    await expect(stopping).rejects.toThrow(/abort/);
    expect(said("error")).toEqual([]);
    row.desired = "running";
    await goOn();
    expect(row.afterStop).toBeNull();
    row.desired = "stopped";
    await goOn();
    expect(ran).toEqual(["begin a"]);
  });

  test("what a control plane that ended in the middle had not done is done by the next", async () => {
    endless.add("b");
    const { start, stop, goOn, interrupt, row } = workspace([
      ...[one("a", after), one("b", { ...after, needs: ["a"] })],
      one("c", { ...after, needs: ["b"] }),
    ]);
    await start();
    const stopping = stop();
    await expect.poll(() => ran.length).toBe(3);
    expect(row.afterStop).toEqual(["b", "c"]);
    interrupt.abort();
    await expect(stopping).rejects.toThrow(/abort/);
    endless.clear();
    await goOn();
    expect(ran).toEqual([
      ...["begin a", "end a", "begin b"],
      ...["begin b", "end b", "begin c", "end c"],
    ]);
    await goOn();
    expect(ran).toHaveLength(7);
  });

  test("what was to come after a stop that ended before anything ran is not forgotten", async () => {
    const { start, stop, goOn, interrupt } = workspace([one("a", after)]);
    await start();
    interrupt.abort();
    await expect(stop()).rejects.toThrow("The step was cancelled.");
    // The members' stop goes on in the engine.
    await engine.stop(owner, { signal: new AbortController().signal, graceMs: 0 });
    await goOn();
    expect(ran).toEqual(["begin a", "end a"]);
  });
});
