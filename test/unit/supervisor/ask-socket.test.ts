import { once } from "node:events";
import { stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { askAt, writeAt } from "./asking.ts";
import { testSupervisor } from "./harness.ts";

const show = { kind: "show" };

test("only the workspace's user may ask", async () => {
  await using supervisor = await testSupervisor();
  expect((await stat(supervisor.socket)).mode & 0o777).toBe(0o600);
});

test("a question goes up with an id of its own, and the answer comes back", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const asks = [
    { kind: "credential", protocol: "https", host: "git.example.org:8443", path: "a/b.git" },
    { kind: "credential", protocol: "https", host: "h", path: null },
    { kind: "show" },
    { kind: "url", port: 3000, service: "database" },
    { kind: "stop" },
  ];
  const replies = asks.map((ask) => askAt(supervisor.socket, { ...ask, extra: 1 }));
  for (const index of asks.keys()) {
    const { id, ask } = await control.ask(index);
    control.answer(id, { asked: ask });
  }
  expect(await Promise.all(replies)).toEqual(
    asks.map((ask) => ({ ok: true, result: { asked: ask } })),
  );
  expect(new Set(control.of("ask").map(({ id }) => id)).size).toBe(asks.length);
});

test("a refusal comes with the control plane's words", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const reply = askAt(supervisor.socket, show);
  control.refuse((await control.ask()).id, "not-found", "There is none.");
  expect(await reply).toEqual({
    ok: false,
    error: { code: "not-found", message: "There is none." },
  });
});

const notConnected = "Oneloop's control plane is not connected just now. Try again in a moment.";

test("without a control plane the answer says so, also when it leaves in the middle", async () => {
  await using supervisor = await testSupervisor();
  const refused = { ok: false, error: { code: "supervisor-unreachable", message: notConnected } };
  expect(await askAt(supervisor.socket, show)).toEqual(refused);
  using control = await supervisor.control();
  const reply = askAt(supervisor.socket, show);
  await control.ask();
  control.socket.destroy();
  expect(await reply).toEqual(refused);
});

test("a control plane that does not answer is not waited for without end", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  await using supervisor = await testSupervisor({ askTimeoutMs: 50 });
  using control = await supervisor.control();
  const asked = askAt(supervisor.socket, show);
  const { id } = await control.ask();
  vi.advanceTimersByTime(50);
  expect(await asked).toMatchObject({ error: { code: "deadline-exceeded" } });
  // What comes too late is nobody's.
  control.answer(id, "late");
  control.onAsk = () => "fresh";
  expect(await askAt(supervisor.socket, show)).toEqual({ ok: true, result: "fresh" });
});

test.each([
  ["what is not JSON", "hello\n", "bad-input"],
  ["a question that nobody knows", '{"kind":"delete"}\n', "bad-input"],
  ["a port that is none", '{"kind":"url","port":70000,"service":null}\n', "bad-input"],
  ["a line without an end", "x".repeat(20_000), "bad-input"],
])("%s is refused", async (_, line, code) => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const reply: unknown = JSON.parse(await writeAt(supervisor.socket, line));
  expect(reply).toMatchObject({ ok: false, error: { code } });
  expect(control.of("ask")).toEqual([]);
});

test("32 questions wait, one more is refused, and who leaves makes room", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const waiting: Socket[] = [];
  for (let index = 0; index < 32; index += 1) {
    const socket = connect(supervisor.socket);
    socket.write(`${JSON.stringify(show)}\n`);
    waiting.push(socket);
    await control.ask(index);
  }
  expect(await askAt(supervisor.socket, show)).toMatchObject({ error: { code: "conflict" } });
  waiting.pop()?.destroy();
  await expect
    .poll(async () => {
      const left = connect(supervisor.socket);
      left.write(`${JSON.stringify(show)}\n`);
      // Refused: it ends with an answer. Taken: nothing comes, but the question does.
      return Promise.race([
        once(left, "data").then(() => "refused"),
        control.ask(32).then(() => "taken"),
      ]);
    })
    .toBe("taken");
  for (const socket of waiting) socket.destroy();
});

test("64 connections at a time; the next is closed", async () => {
  await using supervisor = await testSupervisor();
  const open: Socket[] = [];
  for (let index = 0; index < 64; index += 1) {
    const socket = connect(supervisor.socket);
    await once(socket, "connect");
    open.push(socket);
  }
  const next = connect(supervisor.socket);
  next.on("error", () => undefined);
  next.resume();
  await once(next, "close");
  expect(open.every(({ readyState }) => readyState === "open")).toBe(true);
  for (const socket of open) socket.destroy();
});
