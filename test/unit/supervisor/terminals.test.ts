import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { supervisorPaths } from "../../../server/protocol/supervisor.ts";
import { testSupervisor } from "./harness.ts";
import { untilIdle } from "./processes.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
beforeEach(async () => {
  const schedule = { termAfterMs: 100, killAfterMs: 100, stopAfterMs: 300 };
  supervisor = await testSupervisor({ schedule });
});
afterEach(() => supervisor[Symbol.asyncDispose]());

const quoted = (lines: number) =>
  printer(lines)
    .map((word) => `'${word}'`)
    .join(" ");

/** Prints `lines` numbered lines after a first line of input, and waits for another. */
const printer = (lines: number) => [
  process.execPath,
  "-e",
  `process.stdin.once("data", () => {
     for (let n = 0; n < ${lines}; n++) require("fs").writeSync(1, String(n).padStart(8, "0") + "-".repeat(40) + "\\n");
     require("fs").writeSync(1, "all printed\\n");
   });`,
];

test("a shell echoes, and says how it ended", async () => {
  const { id } = await supervisor.createTerminal(null, { cols: 100, rows: 30 });
  using client = await supervisor.attach(id);
  expect(client.hello).toMatchObject({ offset: 0, readOnly: false, cols: 100, rows: 30 });
  client.type("echo $((40+2)) $TERM; stty size; exit 7\n");
  expect(await client.exit()).toEqual({ type: "exit", exitCode: 7, signal: null });
  expect(client.bytes.toString()).toContain("42 xterm-256color\r\n30 100\r\n");
  await client.closed();
  expect(await supervisor.terminals()).toMatchObject([{ id, running: false, exitCode: 7 }]);
  using late = await supervisor.attach(id);
  expect(await late.exit()).toMatchObject({ exitCode: 7 });
  expect(late.bytes).toEqual(client.bytes);
});

test("a signal that ended the program is named", async () => {
  const { id } = await supervisor.createTerminal(["sh", "-c", "read x; kill -KILL $$"]);
  using client = await supervisor.attach(id);
  client.type("\n");
  expect(await client.exit()).toEqual({ type: "exit", exitCode: 137, signal: "KILL" });
});

test("reattaching at any offset gives the bytes from there, exactly", async () => {
  const { id } = await supervisor.createTerminal(printer(4000));
  using whole = await supervisor.attach(id);
  // Clients that come and go while the program prints: each goes on where the last one was.
  let seen = Buffer.alloc(0);
  whole.type("go\n");
  for (let n = 0; !seen.includes("all printed\r\n"); n++) {
    using client = await supervisor.attach(id, seen.length);
    expect(client.hello.offset).toBe(seen.length);
    const cut = 1 + ((n * 7919) % 10_000);
    await client.until(() => client.length >= cut || client.bytes.includes("all printed\r\n"));
    seen = Buffer.concat([seen, client.bytes]);
  }
  await whole.untilText("all printed\r\n");
  expect(seen.equals(whole.bytes)).toBe(true);
  for (const from of [0, 1, 4095, 4096, 65_536, 131_071, whole.length - 1, whole.length]) {
    using client = await supervisor.attach(id, from);
    expect(client.hello).toMatchObject({ offset: from, end: whole.length });
    await client.until(() => client.length === whole.length - from);
    expect(client.bytes.equals(whole.bytes.subarray(from))).toBe(true);
  }
});

test("more than the ring holds: the hello says from where it goes on", async () => {
  const { id } = await supervisor.createTerminal(printer(20_000));
  using whole = await supervisor.attach(id);
  whole.type("go\n");
  await whole.untilText("all printed\r\n");
  using late = await supervisor.attach(id, 10);
  const lost = whole.length - 256 * 1024;
  expect(late.hello.offset).toBe(lost);
  await late.untilText("all printed\r\n");
  expect(late.bytes.equals(whole.bytes.subarray(lost))).toBe(true);
});

test("a client that reads nothing holds up no other, and learns what it lost", async () => {
  const { id } = await supervisor.createTerminal(printer(400_000));
  using stalled = await supervisor.attach(id);
  using quick = await supervisor.attach(id);
  stalled.socket.pause();
  quick.type("go\n");
  await quick.untilText("all printed\r\n");
  expect(quick.messages).toHaveLength(1);
  stalled.socket.resume();
  await stalled.untilText("all printed\r\n");
  const hellos = stalled.messages.filter((message) => message.type === "hello");
  expect(hellos.length).toBeGreaterThan(1);
  const kept = hellos.at(-1)?.offset ?? 0;
  const tail = quick.bytes.subarray(kept);
  expect(stalled.bytes.subarray(-tail.length).equals(tail)).toBe(true);
});

test("a program waits while its only client is behind, and loses nothing", async () => {
  const { id } = await supervisor.createTerminal([
    "sh",
    "-c",
    "echo pid-$$-; exec " + quoted(400_000),
  ]);
  using only = await supervisor.attach(id);
  only.type("go\n");
  await only.untilText("00000100");
  const pid = Number(/pid-(\d+)/.exec(only.bytes.toString())?.[1]);
  only.socket.pause();
  await untilIdle(pid);
  // It stands still in the middle: it has neither ended nor filled the ring again and again.
  expect(await supervisor.terminals()).toMatchObject([{ running: true }]);
  only.socket.resume();
  await only.untilText("all printed\r\n");
  expect(only.messages).toHaveLength(1);
  const lines = only.bytes.toString().match(/\d{8}-{40}/g) ?? [];
  expect(lines).toHaveLength(400_000);
  expect(lines.every((line, n) => Number(line.slice(0, 8)) === n)).toBe(true);
});

test("a program that prints much and ends at once while its client is behind loses nothing", async () => {
  const script = "read x; seq 1 200000; printf done";
  const { id } = await supervisor.createTerminal(["sh", "-c", script]);
  using client = await supervisor.attach(id);
  client.type("\n");
  await client.untilText("\n1000\r\n");
  client.socket.pause();
  setTimeout(() => client.socket.resume(), 700);
  await client.exit();
  const text = client.bytes.toString();
  expect(text.endsWith("200000\r\ndone")).toBe(true);
  expect(text.match(/\d+\r\n/g)?.length).toBe(200_000);
});

test("with no client attached the program runs on", async () => {
  const { id } = await supervisor.createTerminal(["sh", "-c", "seq 1 300000; exit 3"]);
  using client = await supervisor.attach(id);
  client.socket.pause();
  client[Symbol.dispose]();
  using late = await supervisor.attach(id);
  expect(await late.exit()).toMatchObject({ exitCode: 3 });
  expect(late.bytes.toString()).toContain("300000\r\n");
});

test("a resize reaches the program and every client; a read-only client's does not", async () => {
  const { id } = await supervisor.createTerminal(null);
  using writer = await supervisor.attach(id);
  using viewer = await supervisor.attach(id, 0, true);
  expect(viewer.hello.readOnly).toBe(true);
  viewer.type("echo from the viewer\n");
  viewer.resize(10, 10);
  writer.resize(123, 45);
  await viewer.until(() => viewer.resizes().length > 0);
  writer.type("stty size; echo end-$((1+1))\n");
  await viewer.untilText("end-2");
  expect(viewer.bytes.toString()).toContain("45 123");
  expect(viewer.bytes.toString()).not.toContain("from the viewer");
  expect([...viewer.resizes(), ...writer.resizes()]).toEqual([
    { cols: 123, rows: 45 },
    { cols: 123, rows: 45 },
  ]);
  expect(await supervisor.terminals()).toMatchObject([{ cols: 123, rows: 45 }]);
});

test("a large paste arrives whole, although the program reads it late", async () => {
  const script = `stty raw -echo; printf ready; sleep 0.3; head -c 400000 | sha256sum; cat`;
  const { id } = await supervisor.createTerminal(["sh", "-c", script]);
  using client = await supervisor.attach(id);
  await client.untilText("ready");
  const paste = Buffer.from(Array.from({ length: 400_000 }, (_, n) => 32 + (n % 90)));
  for (let at = 0; at < paste.length; at += 10_000)
    client.socket.send(paste.subarray(at, at + 10_000));
  await client.untilText(createHash("sha256").update(paste).digest("hex"));
});

test("an unknown message closes the client that sent it, and nothing else", async () => {
  const { id } = await supervisor.createTerminal(["cat"]);
  using bad = await supervisor.attach(id);
  using good = await supervisor.attach(id);
  bad.socket.send("{}");
  await bad.closed();
  good.type("still here\n");
  await good.untilText("still here");
});

test("deleting a terminal ends even a program that ignores HUP and TERM", async () => {
  const script = `trap "" HUP TERM; echo deaf; while :; do sleep 1; done`;
  const { id } = await supervisor.createTerminal(["sh", "-c", script]);
  using client = await supervisor.attach(id);
  await client.untilText("deaf");
  const { status } = await supervisor.http("DELETE", supervisorPaths.terminal(id));
  expect(status).toBe(204);
  expect(await client.exit()).toMatchObject({ signal: "KILL" });
  expect(await supervisor.terminals()).toEqual([]);
});

test("deleting a terminal ends the jobs of its shell", async () => {
  const { id } = await supervisor.createTerminal(["bash", "--norc", "-i"]);
  using client = await supervisor.attach(id);
  client.type("sleep 1000 & echo job-$!-started\n");
  await client.until(() => /job-\d+-started/.test(client.bytes.toString()));
  const job = Number(/job-(\d+)-started/.exec(client.bytes.toString())?.[1]);
  await supervisor.http("DELETE", supervisorPaths.terminal(id));
  await client.exit();
  await expect.poll(() => isAlive(job), { timeout: 5000 }).toBe(false);
});

test("only the last sixteen that ended are listed", async () => {
  for (let n = 0; n < 18; n++) {
    const { id } = await supervisor.createTerminal(["true"], { title: `t${n}` });
    using client = await supervisor.attach(id);
    await client.exit();
  }
  const titles = (await supervisor.terminals()).map(({ title }) => title);
  expect(titles).toEqual(Array.from({ length: 16 }, (_, n) => `t${n + 2}`));
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
