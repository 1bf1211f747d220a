import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskMessage } from "../../../server/protocol/control.ts";
import type { Task } from "../../../server/protocol/plan.ts";
import type { SupervisorConfig, TaskInfo } from "../../../server/protocol/supervisor.ts";
import { testSupervisor } from "./harness.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "oneloop-tasks-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

function task(name: string, script: string | null, more: Partial<Task> = {}): Task {
  const phase = more.phase ?? "start";
  return {
    name,
    phase,
    in: "dev",
    oncePer: phase === "create" ? "workspace" : "start",
    needs: [],
    command: script === null ? null : ["sh", "-c", script],
    terminal: false,
    ...more,
  };
}

/** One start of a workspace: runs all tasks, and gives their last states by name. */
async function start(tasks: Task[], config: Partial<SupervisorConfig> = {}) {
  await using supervisor = await testSupervisor({ home, config: { tasks, ...config } });
  await supervisor.setup();
  await supervisor.tasksEnded;
  const states = await supervisor.json<TaskInfo[]>("GET", "/tasks", { action: "state" });
  const brief = states.map(({ name, state, exitCode }) => `${name} ${state} ${exitCode}`);
  return { brief, states, terminals: await supervisor.terminals(), log: supervisor.log };
}

const log = async (): Promise<string[]> =>
  (await readFile(join(home, "log"), "utf8")).trim().split("\n");

/** What the control plane was told of ends. */
function endsIn(control: { of(type: "task"): TaskMessage[] }): TaskMessage[] {
  return control.of("task").filter(({ state }) => state !== "running");
}

test("create tasks run once in a workspace's life, then start tasks at each start", async () => {
  const tasks = [
    task("serve", "echo serve >> log"),
    task("install", "sleep 0.2; echo install >> log", { phase: "create" }),
  ];
  expect((await start(tasks)).brief).toEqual(["serve done 0", "install done 0"]);
  expect(await log()).toEqual(["install", "serve"]);
  expect((await start(tasks)).brief).toEqual(["serve done 0", "install done null"]);
  expect(await log()).toEqual(["install", "serve", "serve"]);
});

test("a task of the container runs once there, and again where the container is another", async () => {
  // A name of this run's own: its mark lies in this machine's file system, beside the home.
  const name = `install-${basename(home)}`;
  const tasks = [task(name, "echo install >> log", { phase: "create", oncePer: "container" })];
  const mark = join("/var/tmp/.oneloop/tasks", `${name}.done`);
  try {
    expect((await start(tasks)).brief).toEqual([`${name} done 0`]);
    expect((await start(tasks)).brief).toEqual([`${name} done null`]);
    expect(existsSync(join(home, ".oneloop/tasks", `${name}.done`))).toBe(false);
    await rm(mark);
    expect((await start(tasks)).brief).toEqual([`${name} done 0`]);
    expect(await log()).toEqual(["install", "install"]);
  } finally {
    await rm(mark, { force: true });
  }
});

test("a create task that failed runs again at the next start", async () => {
  const tasks = [task("a/b", "echo try >> log; test -e fixed", { phase: "create" })];
  expect((await start(tasks)).brief).toEqual(["a/b failed 1"]);
  expect((await start([...tasks, task("fix", "touch fixed")])).brief[1]).toBe("fix done 0");
  expect((await start(tasks)).brief).toEqual(["a/b done 0"]);
  expect((await start(tasks)).brief).toEqual(["a/b done null"]);
  expect(await log()).toEqual(["try", "try", "try"]);
});

test("a task waits for what it needs; a failure stops only those that need it", async () => {
  const tasks = [
    task("third", "echo third >> log", { needs: ["second"] }),
    task("second", "sleep 0.1; echo second >> log", { needs: ["first"] }),
    task("first", "sleep 0.1; echo first >> log"),
    task("bad", "echo the reason >&2; exit 9"),
    task("after-bad", "echo never >> log", { needs: ["bad"] }),
    task("round", "echo never >> log", { needs: ["about"] }),
    task("about", "echo never >> log", { needs: ["round"] }),
    task("missing", null, { command: ["/no/such/program"] }),
  ];
  const { brief, log: lines } = await start(tasks);
  expect(await log()).toEqual(["first", "second", "third"]);
  expect(brief).toEqual([
    "third done 0",
    "second done 0",
    "first done 0",
    "bad failed 9",
    "after-bad failed null",
    "round failed null",
    "about failed null",
    "missing failed 127",
  ]);
  expect(lines.join("\n")).toContain("the reason");
});

test("a task with a terminal is a terminal of its name", async () => {
  const { states, terminals } = await start([task("dev", "tty; exit 2", { terminal: true })]);
  expect(terminals).toMatchObject([{ title: "dev", task: "dev", running: false, exitCode: 2 }]);
  expect(states).toMatchObject([{ state: "failed", exitCode: 2, terminal: terminals[0]?.id }]);
});

test("without a command it is the image's; an image without one has nothing to do", async () => {
  const tasks = [task("image", null)];
  const imageCommand = ["sh", "-c", "echo the image >> log"];
  expect((await start(tasks, { imageCommand })).brief).toEqual(["image done 0"]);
  expect(await log()).toEqual(["the image"]);
  expect((await start(tasks)).brief).toEqual(["image done null"]);
});

test("tasks of other phases are not run here", async () => {
  expect((await start([task("x", "echo x >> log", { phase: "prebuild" })])).brief).toEqual([]);
});

test("a task that runs is said to run, and ends with the workspace", async () => {
  const tasks = [task("server", "echo up >> log; sleep 1000", { terminal: true })];
  await using supervisor = await testSupervisor({ home, config: { tasks } });
  await supervisor.setup();
  const [state] = await supervisor.json<TaskInfo[]>("GET", "/tasks", { action: "state" });
  expect(state).toMatchObject({ state: "running", exitCode: null });
  await supervisor[Symbol.asyncDispose]();
  await supervisor.tasksEnded;
});

test("nothing starts before the first setup, and a second setup starts nothing again", async () => {
  const tasks = [task("once", "echo once >> log"), task("pre", "echo never", { phase: "stop" })];
  await using supervisor = await testSupervisor({ home, config: { tasks } });
  const list = () => supervisor.json<TaskInfo[]>("GET", "/tasks", { action: "state" });
  expect(await list()).toMatchObject([{ name: "once", state: "waiting" }]);
  await supervisor.setup();
  await supervisor.tasksEnded;
  await supervisor.setup({ env: { A: "2" } });
  expect(await list()).toMatchObject([{ name: "once", state: "done" }]);
  expect(await log()).toEqual(["once"]);
});

test("a task has the folder and the variables that it names; the person's variables win", async () => {
  const script = 'echo "$PWD $(pwd -P) $A $B $HOME" >> "$HOME/log"';
  const folder = join(home, "sub");
  await mkdir(folder);
  const tasks = [
    task("here", script, { cwd: folder, env: { A: "task", B: "task", HOME: home } }),
    task("plain", script, { cwd: null, needs: ["here"] }),
  ];
  const config = { tasks, env: { A: "service", B: "service" } };
  await using supervisor = await testSupervisor({ home, config });
  await supervisor.setup({ env: { B: "person" } });
  await supervisor.tasksEnded;
  expect(await log()).toEqual([
    `${folder} ${folder} task person ${home}`,
    `${home} ${home} service person ${home}`,
  ]);
});

test("a long server of `start` holds up none of the other tasks that need nothing", async () => {
  const tasks = [
    task("server", "mkfifo go; read _ < go", { terminal: true }),
    task("beside", "exit 0"),
  ];
  await using supervisor = await testSupervisor({ home, config: { tasks } });
  using control = await supervisor.control();
  await supervisor.setup();
  const ended = await control.until(() => endsIn(control)[0]);
  expect(ended).toEqual({ type: "task", name: "beside", state: "done", exitCode: 0 });
});

test("stop tasks run before anything ends, in the order of their needs", async () => {
  // The last to end: what is said of the others has the time to come.
  const last = "trap '' HUP; trap 'sleep 0.3; echo server >> log; exit' TERM";
  const tasks = [
    task("server", `${last}; echo $$ > up; mkfifo go; read _ < go`),
    task("quick", "sleep 1000"),
    task("second", "echo second >> log", { phase: "stop", needs: ["first"] }),
    task("first", "kill -0 $(cat up) && echo first >> log", { phase: "stop" }),
  ];
  const supervisor = await testSupervisor({ home, config: { tasks } });
  using control = await supervisor.control();
  await supervisor.setup();
  await expect.poll(() => existsSync(join(home, "go"))).toBe(true);
  await supervisor[Symbol.asyncDispose]();
  await control.closed;
  expect(await log()).toEqual(["first", "second", "server"]);
  // What a stop ends has not failed.
  expect(endsIn(control).map(({ name, state }) => `${name} ${state}`)).toEqual([
    "first done",
    "second done",
  ]);
});

test("stop tasks have a time in all; what never started is not stopped", async () => {
  const schedule = { stopTasksMs: 200, stopAfterMs: 200 };
  const tasks = [
    task("slow", "trap '' TERM HUP; echo slow >> log; while :; do sleep 1; done", {
      phase: "stop",
    }),
  ];
  const first = await testSupervisor({ home, config: { tasks }, schedule });
  await first[Symbol.asyncDispose]();
  await expect(log()).rejects.toThrow("ENOENT");
  const second = await testSupervisor({ home, config: { tasks }, schedule });
  await second.setup();
  const tookMs = stopwatch();
  await second[Symbol.asyncDispose]();
  expect(tookMs()).toBeLessThan(2000);
  expect(await log()).toEqual(["slow"]);
});

test("a stop in the middle of `create` starts nothing of `start`", async () => {
  const tasks = [
    task("install", "echo install >> log; sleep 1000", { phase: "create" }),
    task("serve", "echo serve >> log"),
  ];
  const supervisor = await testSupervisor({ home, config: { tasks } });
  await supervisor.setup();
  await expect.poll(() => log().catch(() => [])).toEqual(["install"]);
  await supervisor[Symbol.asyncDispose]();
  await supervisor.tasksEnded;
  expect(await log()).toEqual(["install"]);
});

test("the control plane hears of tasks that end and that cannot start", async () => {
  const tasks = [
    task("good", "exit 0"),
    task("bad", "exit 7"),
    task("after", "exit 0", { needs: ["bad"] }),
    task("x".repeat(300), null, { command: ["/no/such/program"] }),
  ];
  await using supervisor = await testSupervisor({ home, config: { tasks } });
  using control = await supervisor.control();
  await supervisor.setup();
  const ended = await control.until(() =>
    endsIn(control).length === 4 ? endsIn(control) : undefined,
  );
  expect(ended.map(({ name, state, exitCode }) => `${name} ${state} ${exitCode}`).sort()).toEqual([
    "after failed null",
    "bad failed 7",
    "good done 0",
    `${"x".repeat(200)} failed 127`,
  ]);
});
