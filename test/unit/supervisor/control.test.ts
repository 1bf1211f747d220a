import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { maxControlLineBytes } from "../../../server/protocol/control.ts";
import type { Task } from "../../../server/protocol/plan.ts";
import { controlPlaneActor } from "../../../server/protocol/supervisor.ts";
import { testSupervisor } from "./harness.ts";
import { askAt } from "./asking.ts";

test("the stream needs its own grant", async () => {
  await using supervisor = await testSupervisor();
  for (const grant of [supervisor.grant("exec"), supervisor.grant("control", true)]) {
    const { status, socket } = await supervisor.upgrade("/control", grant);
    expect(status).toBe(403);
    socket.destroy();
  }
});

test("a newer stream replaces the older, which ends", async () => {
  await using supervisor = await testSupervisor();
  using older = await supervisor.control();
  await older.until(() => older.ports);
  using newer = await supervisor.control();
  await older.closed;
  await newer.until(() => newer.ports);
  newer.onAsk = () => ({ url: "newer" });
  const reply = await askAt(supervisor.socket, { kind: "url", port: 1, service: null });
  expect(reply).toEqual({ ok: true, result: { url: "newer" } });
});

test.each([
  ["what is not JSON", "hello\n"],
  ["what is no message", "[]\n"],
  ["an answer that is none", '{"type":"answer","id":7,"ok":true}\n'],
  ["a line without an end", "x".repeat(maxControlLineBytes + 1)],
])("%s ends the stream", async (_, text) => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  control.write(text);
  await control.closed;
});

test("what a newer control plane may say is passed over", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  control.write('{"type":"weather","sun":true}\n');
  control.answer("nobody asked", {});
  control.onAsk = () => "still here";
  expect(await askAt(supervisor.socket, { kind: "show" })).toMatchObject({ result: "still here" });
});

test("a control plane that went away leaves the workspace as it is, and may come again", async () => {
  await using supervisor = await testSupervisor();
  for (const leave of ["destroy", "resetAndDestroy", "end"] as const) {
    using control = await supervisor.control();
    await control.until(() => control.ports);
    control.socket[leave]();
    await control.closed;
  }
  expect(await supervisor.sh("echo fine")).toBe("fine\n");
});

test("that somebody works is told at once, and then at most once in 30 s", async () => {
  let now = 1_000_000;
  await using supervisor = await testSupervisor({ now: () => now });
  using control = await supervisor.control();
  const count = () => control.of("activity").length;
  /** What was told before an answer to this has come. */
  const counted = async (): Promise<number> => {
    const ask = askAt(supervisor.socket, { kind: "show" });
    control.answer((await control.ask(control.of("ask").length)).id, null);
    await ask;
    return count();
  };
  expect(await counted()).toBe(0);
  // The control plane's own commands are nobody's work.
  await (await supervisor.exec({ argv: ["true"] }, controlPlaneActor)).collect();
  expect(await counted()).toBe(0);
  await supervisor.sh("true");
  expect(await counted()).toBe(1);
  await supervisor.sh("true");
  expect(await counted()).toBe(1);
  now += 30_000;
  const { id } = await supervisor.createTerminal(["cat"]);
  using client = await supervisor.attach(id);
  expect(await counted()).toBe(1);
  client.type("typed\n");
  await client.untilText("typed");
  expect(await counted()).toBe(2);
  // Looking on is no work, and neither is output.
  now += 30_000;
  using onlooker = await supervisor.attach(id, 0, true);
  onlooker.type("nothing\n");
  await onlooker.untilText("typed");
  expect(await counted()).toBe(2);
  // Input of a command that runs already.
  const stream = await supervisor.exec({ argv: ["cat"] });
  expect(await counted()).toBe(3);
  now += 30_000;
  await stream.collect("input");
  expect(await counted()).toBe(4);
});

test("work that nobody could be told of is told when the stream is there", async () => {
  await using supervisor = await testSupervisor();
  await supervisor.sh("true");
  using control = await supervisor.control();
  await control.until(() => control.of("activity")[0]);
});

test("a task that ended before anybody was there to hear is told, once", async () => {
  const task: Task = {
    name: "prepare",
    phase: "start",
    in: "dev",
    oncePer: "start",
    needs: [],
    command: ["sh", "-c", "exit 3"],
    terminal: false,
  };
  await using supervisor = await testSupervisor({ config: { tasks: [task] } });
  await supervisor.setup();
  await supervisor.tasksEnded;
  using control = await supervisor.control();
  await control.until(() => control.of("task")[0]);
  expect(control.of("task")).toEqual([
    { type: "task", name: "prepare", state: "failed", exitCode: 3 },
  ]);
  control.socket.destroy();
  await control.closed;
  using later = await supervisor.control();
  await later.until(() => later.ports);
  expect(later.of("task")).toEqual([]);
});

test("each task is told of as it begins, with its terminal there, and as it ends", async () => {
  const after = (name: string, needs: string[], file: string): Task => ({
    ...{ name, needs, phase: "start", in: "dev", oncePer: "start", terminal: true },
    command: ["sh", "-c", `until [ -e ${file} ]; do sleep 0.01; done`],
  });
  const home = await mkdtemp(join(tmpdir(), "oneloop-told-"));
  const tasks = [after("first", [], "one"), after("second", ["first"], "two")];
  await using supervisor = await testSupervisor({ home, config: { tasks } });
  using control = await supervisor.control();
  const told = (name: string, state: string) =>
    control.until(() => control.of("task").find((one) => one.name === name && one.state === state));
  const shown = async () => (await supervisor.terminals()).map(({ task }) => task);
  await supervisor.setup();
  await told("first", "running");
  expect(await shown()).toEqual(["first"]);
  await writeFile(join(home, "one"), "");
  await told("second", "running");
  expect(new Set(await shown())).toEqual(new Set(["first", "second"]));
  await writeFile(join(home, "two"), "");
  await told("second", "done");
  expect(control.of("task")).toEqual([
    { type: "task", name: "first", state: "running", exitCode: null },
    { type: "task", name: "first", state: "done", exitCode: 0 },
    { type: "task", name: "second", state: "running", exitCode: null },
    { type: "task", name: "second", state: "done", exitCode: 0 },
  ]);
  await rm(home, { recursive: true });
});

test("a control plane that does not read costs no memory: its stream ends", async () => {
  await using supervisor = await testSupervisor({ askTimeoutMs: 1 });
  using control = await supervisor.control();
  control.socket.pause();
  const path = "\u0001".repeat(2000);
  const ask = { kind: "credential", protocol: "https", host: "h", path };
  let reply: unknown;
  let asked = 0;
  do {
    reply = await askAt(supervisor.socket, ask);
    asked += 1;
    expect(asked).toBeLessThan(3000);
  } while (JSON.stringify(reply).includes("deadline-exceeded"));
  expect(reply).toMatchObject({ ok: false, error: { code: "supervisor-unreachable" } });
});

test("a port that comes and goes while nobody reads is told as it is in the end", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  await control.until(() => control.ports);
  control.socket.pause();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  control.socket.resume();
  const { port } = server.address() as AddressInfo;
  await control.untilPort(port);
  server.close();
  await control.untilNoPort(port);
});
