import { describe, expect, it } from "vitest";
import type { ChangeListener } from "../../../server/db/database.ts";
import type { WorkspaceRow } from "../../../server/db/workspaces.ts";
import type { WorkspaceEvent, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { Inside, type InsideParts } from "../../../server/workspaces/inside.ts";
import { TaskNews } from "../../../server/workspaces/task-news.ts";
import { updatesOf } from "../../../server/workspaces/updates.ts";

/** Ada's workspace w1, as the database has it. */
function world() {
  const changes = new Set<ChangeListener>();
  const tasks = new TaskNews();
  const events: WorkspaceEvent[] = [];
  let name: string | null = "app";
  const tellChange = (): void => changes.forEach((listener) => listener("w1"));
  const parts = {
    tasks,
    database: {
      onChange: (listener: ChangeListener) => {
        changes.add(listener);
        return { [Symbol.dispose]: () => changes.delete(listener) };
      },
    },
    store: {
      find: () => Promise.resolve(name === null ? null : ({ id: "w1", name } as WorkspaceRow)),
      eventsAfter: (_id: string, after: number) =>
        Promise.resolve(events.filter(({ id }) => id > after)),
    },
    summary: (row: WorkspaceRow) => Promise.resolve({ name: row.name } as WorkspaceSummary),
    lookAgainMs: () => null,
  };
  const stop = new AbortController();
  const which = { userId: "ada", id: "w1" };
  const updates = updatesOf(parts, which, { afterEvent: 0, signal: stop.signal });
  return {
    ...{ tasks, changes, events, stop, tellChange },
    rename: (to: string | null) => {
      name = to;
      tellChange();
    },
    next: async () => (await updates.next()).value,
  };
}

function event(id: number): WorkspaceEvent {
  return { id, at: "2026-01-01T00:00:00Z", level: "info", code: "x", message: "m" };
}

describe("who looks at a workspace", () => {
  it("is told of the state, then of what comes", async () => {
    const { next, rename, events, tellChange } = world();
    expect(await next()).toEqual({ kind: "state", workspace: { name: "app" } });
    events.push(event(7));
    tellChange();
    expect(await next()).toEqual({ kind: "event", event: event(7) });
    rename("other");
    expect(await next()).toEqual({ kind: "state", workspace: { name: "other" } });
    rename(null);
    expect(await next()).toEqual({ kind: "deleted" });
    expect(await next()).toBeUndefined();
  });

  it("is told that tasks began or ended, where nothing else changes", async () => {
    const { next, tasks, stop } = world();
    await next();
    for (const times of [1, 2]) {
      const told = next();
      for (let time = 0; time < times; time += 1) tasks.tell("w1");
      expect(await told).toEqual({ kind: "tasks" });
    }
    const nothing = next();
    tasks.tell("w2");
    stop.abort();
    expect(await nothing).toBeUndefined();
  });

  it("is listened to no more when they look away", async () => {
    const { next, changes, stop, tasks } = world();
    await next();
    expect(changes.size).toBe(1);
    stop.abort();
    expect(await next()).toBeUndefined();
    expect(changes.size).toBe(0);
    tasks.tell("w1");
  });
});

describe("the tasks' news", () => {
  it("reach all who listen to that workspace, until they end", () => {
    const news = new TaskNews();
    const heard: string[] = [];
    const first = news.listen("w1", () => heard.push("first"));
    using _second = news.listen("w1", () => heard.push("second"));
    using _other = news.listen("w2", () => heard.push("other"));
    news.tell("w1");
    first[Symbol.dispose]();
    news.tell("w1");
    expect(heard).toEqual(["first", "second", "second"]);
  });
});

describe("a task of a workspace", () => {
  it("is told of when it begins and ends, and in the events only when it failed", async () => {
    const told: string[] = [];
    const inside = new Inside({
      store: { addEvent: (id: string, { code }: { code: string }) => told.push(`${id} ${code}`) },
      tasks: { tell: (id: string) => void told.push(`${id} told`) },
    } as unknown as InsideParts);
    const owner = { kind: "workspace", id: "w1" } as const;
    await inside.onTask(owner, { name: "install", state: "running", exitCode: null });
    await inside.onTask(owner, { name: "install", state: "done", exitCode: 0 });
    expect(told).toEqual(["w1 told", "w1 told"]);
    await inside.onTask(owner, { name: "serve", state: "failed", exitCode: 3 });
    expect(told.slice(2)).toEqual(["w1 told", "w1 task-failed"]);
  });
});
