import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { plan } from "../../../server/plan/plan.ts";
import type { PlanChoices } from "../../../server/plan/plan.ts";
import { unknown } from "../../../server/protocol/fact.ts";
import { WorkspacePlan } from "../../../server/protocol/plan.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { defaultModel } from "../../../server/sources/fallback/default-model.ts";
import { read } from "../sources/reading.ts";

const checkout = {
  url: "file:///srv/govapp.git",
  ref: "refs/heads/main",
  commit: "0".repeat(40),
  path: "/workspace/govapp",
};

interface Given {
  readonly exec?: object;
  readonly container?: object;
  readonly postStart?: readonly string[];
  readonly preStop?: readonly string[];
}

/** Containers `tools` (the dev service) and `db`; commands `build` (as given), `test`, `seed` in `db`. */
function model({
  exec = {},
  container = {},
  postStart = ["build"],
  preStop = [],
}: Given): SourceModel {
  return read(
    stringify({
      schemaVersion: "2.2.2",
      components: [
        { name: "tools", container: { image: "tools:1", ...container } },
        { name: "db", container: { image: "db:1", mountSources: false } },
      ],
      commands: [
        { id: "build", exec: { component: "tools", commandLine: "npm ci && echo $HOME", ...exec } },
        { id: "test", exec: { component: "tools", commandLine: "npm test" } },
        { id: "tools", exec: { component: "tools", commandLine: "ls" } },
        { id: "dotfiles", exec: { component: "tools", commandLine: "ls" } },
        { id: "seed", exec: { component: "db", commandLine: "seed" } },
      ],
      events: { postStart, preStop },
    }),
  );
}

function planOf(given: Given, choices: Partial<PlanChoices> = {}): WorkspacePlan {
  return WorkspacePlan.parse(plan(model(given), null, { checkout, ...choices }));
}

/** `name(needs)` of every task after the dev service's own. */
function order({ tasks }: WorkspacePlan): string[] {
  return tasks.slice(1).map(({ name, needs }) => `${name}(${needs.join(",")})`);
}

describe("a command of an event", () => {
  test("is a task that a shell of the dev service runs, in the project's folder", () => {
    expect(planOf({ exec: { env: [{ name: "A", value: "1" }] } }).tasks[1]).toEqual({
      name: "build",
      phase: "start",
      in: "tools",
      oncePer: "start",
      needs: [],
      command: ["sh", "-c", "npm ci && echo $HOME"],
      cwd: "/workspace/govapp",
      env: { A: "1" },
      terminal: true,
    });
  });

  test("before the stop is a task of that phase", () => {
    const { tasks } = planOf({ postStart: [], preStop: ["test"] });
    expect(tasks.map(({ name, phase }) => [name, phase])).toEqual([
      ["tools", "start"],
      ["test", "stop"],
    ]);
  });

  test("waits for the one before it in the list", () => {
    expect(order(planOf({ postStart: ["test", "build", "test"] }))).toEqual([
      "test()",
      "build(test)",
      "test-2(build)",
    ]);
  });

  test("of another component is left out with its line, and the others keep their order", () => {
    const planned = planOf({ postStart: ["build", "seed", "test"], preStop: ["seed"] });
    expect(order(planned)).toEqual(["build()", "test(build)"]);
    expect(planned.leftOut).toEqual(
      ["seed", "seed-2"].map((name) => ({
        what: `task ${name}`,
        why: "It runs in component db, which has no supervisor yet; only tools has one.",
        where: { file: "devfile.yaml", line: 27, column: 9 },
      })),
    );
  });

  test("never takes the name of the dev service's own task", () => {
    expect(order(planOf({ postStart: ["tools", "build"] }))).toEqual([
      "tools-2()",
      "build(tools-2)",
    ]);
  });

  test("without an event is no task, but offered; of another component it is left out", () => {
    const planned = planOf({ postStart: [] });
    expect(planned.tasks.map(({ name }) => name)).toEqual(["tools"]);
    expect(planned.commands?.map(({ name }) => name)).toEqual([
      ...["build", "test", "tools", "dotfiles"],
    ]);
    expect(planned.leftOut.map(({ what }) => what)).toEqual(["command seed"]);
  });

  test("that runs once is a task of the creation, and waits for none that runs at every start", () => {
    const source = model({ postStart: ["test", "build", "tools"] });
    const [first, second, third] = source.tasks;
    if (first === undefined || second === undefined || third === undefined) throw new Error("few");
    Object.assign(second, { once: "workspace" });
    const { tasks } = plan(source, null, { checkout });
    expect(tasks.slice(1).map(({ phase, oncePer, needs }) => [phase, oncePer, needs])).toEqual([
      ["start", "start", []],
      ["create", "workspace", []],
      ["start", "start", ["build"]],
    ]);
    Object.assign(first, { once: "container" });
    const again = plan(source, null, { checkout }).tasks;
    expect(again.slice(1).map(({ oncePer, needs }) => [oncePer, needs])).toEqual([
      ["container", []],
      ["workspace", ["test"]],
      ["start", ["build"]],
    ]);
  });

  test("is there because of its lines", () => {
    const { because } = planOf({ postStart: ["tools"], exec: {} });
    const lines = because
      .find(({ part }) => part === "task tools-2")
      ?.where.map((where) => "line" in where && where.line);
    expect(lines).toEqual([19, 21, 22, 21]);
  });

  test("of which a fact is missing is left out", () => {
    const source = model({});
    const [task] = source.tasks;
    if (task === undefined) throw new Error("no task");
    task.commandLine = unknown("Nobody knows.", task.where);
    const planned = plan(source, null, { checkout });
    expect(order(planned)).toEqual([]);
    expect(planned.leftOut[0]).toMatchObject({ what: "task build", why: "Nobody knows." });
  });
});

describe("a working directory", () => {
  const cwd = (workingDir: string, container: object = {}): string | null | undefined =>
    planOf({ exec: { workingDir, env: [{ name: "SUB", value: "sub" }] }, container }).tasks[1]?.cwd;

  test.each([
    ["/opt/app/", "/opt/app"],
    ["app", "/workspace/govapp/app"],
    ["./app/../This Directory", "/workspace/govapp/This Directory"],
    ["$PROJECTS_ROOT", "/workspace"],
    ["${PROJECTS_ROOT}/other", "/workspace/other"],
    ["$PROJECT_SOURCE", "/workspace/govapp"],
    ["${PROJECT_SOURCE}/a/$SUB", "/workspace/govapp/a/sub"],
  ])("%s is %s", (workingDir, path) => {
    expect(cwd(workingDir)).toBe(path);
  });

  test("follows the source to where the container has it", () => {
    expect(cwd("${PROJECT_SOURCE}/a", { sourceMapping: "/projects" })).toBe("/projects/govapp/a");
    expect(cwd("a", { sourceMapping: "/projects" })).toBe("/projects/govapp/a");
  });

  test("may name the container's own variables", () => {
    const env = [{ name: "HOME", value: "/home/me" }];
    expect(cwd("~/x", { env })).toBe("/home/me/x");
    expect(cwd("~", { env })).toBe("/home/me");
  });

  test.each(["~", "~/x", "$HOME", "${GOPATH}/src", "$(pwd)", "${A:-b}", "$"])(
    "that only the container knows is the project's folder, and is listed: %s",
    (workingDir) => {
      const { tasks, leftOut } = planOf({ exec: { workingDir } });
      expect(tasks[1]?.cwd).toBe("/workspace/govapp");
      // Said once, though it is offered too.
      expect(leftOut).toMatchObject([
        { what: "working directory of task build", where: { line: 15 } },
        { what: "command seed" },
      ]);
    },
  );

  test("without a source is where a shell starts, unless it is absolute", () => {
    const container = { mountSources: false };
    expect(cwd("/opt", container)).toBe("/opt");
    expect(cwd("opt", container)).toBeNull();
    expect(planOf({ container }).tasks[1]?.cwd).toBeNull();
  });

  test("is absolute or null, whatever the devfile says", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii", minLength: 1 }), (text) => {
        const planned = plan(
          model({ exec: { workingDir: text.replaceAll("{{", "") || "a" } }),
          null,
          {
            checkout,
          },
        );
        expect(planned.tasks[1]?.cwd).toMatch(/^\/(?!.*\/\.\.(\/|$))/);
      }),
    );
  });
});

describe("the user's dotfiles", () => {
  const dotfilesUrl = "https://example.org/me/dotfiles.git";

  test("are a task of their own, once, that nothing waits for", () => {
    const { tasks } = WorkspacePlan.parse(plan(defaultModel(), null, { checkout, dotfilesUrl }));
    expect(tasks[1]).toEqual({
      name: "dotfiles",
      phase: "start",
      in: "dev",
      oncePer: "workspace",
      needs: [],
      command: ["/.oneloop/bin/oneloop-dotfiles", dotfilesUrl],
      terminal: true,
    });
    expect(tasks.some(({ needs }) => needs.includes("dotfiles"))).toBe(false);
  });

  test("give way to a command of that name, and are absent for who has none", () => {
    expect(order(planOf({ postStart: ["dotfiles"] }, { dotfilesUrl }))).toEqual([
      "dotfiles()",
      "dotfiles-2()",
    ]);
    expect(order(planOf({ postStart: [] }, { dotfilesUrl: null }))).toEqual([]);
  });
});

test("names in a plan are unique, and every task needs only tasks before it", () => {
  const ids = fc.array(fc.constantFrom("build", "test", "tools", "dotfiles", "seed"), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(ids, ids, fc.boolean(), (postStart, preStop, dotfiles) => {
      const { tasks } = planOf({ postStart, preStop }, { dotfilesUrl: dotfiles ? "u" : null });
      const before = new Set<string>();
      for (const { name, needs } of tasks) {
        expect(before.has(name)).toBe(false);
        for (const need of needs) expect(before).toContain(need);
        before.add(name);
      }
      const seeds = [...postStart, ...preStop].filter((id) => id === "seed").length;
      expect(tasks.length).toBe(1 + postStart.length + preStop.length - seeds + (dotfiles ? 1 : 0));
    }),
  );
});
