import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ExecExit } from "../../../server/protocol/frames.ts";
import { supervisorPaths } from "../../../server/protocol/supervisor.ts";
import type { ExecStream } from "../../../server/terminals/exec-stream.ts";
import { testSupervisor } from "./harness.ts";
import { untilIdle } from "./processes.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
beforeEach(async () => {
  const schedule = { termAfterMs: 100, killAfterMs: 100, stopAfterMs: 300 };
  supervisor = await testSupervisor({ schedule });
});
afterEach(() => supervisor[Symbol.asyncDispose]());

const size = { cols: 90, rows: 33 };

/** Keeps the output, and resolves on a text in it or on the exit. */
function watch(stream: ExecStream) {
  let text = "";
  let looks: (() => void)[] = [];
  let resolveExit: (exit: ExecExit) => void;
  const exit = new Promise<ExecExit>((resolve) => {
    resolveExit = resolve;
  });
  const add = (piece: Uint8Array): void => {
    text += Buffer.from(piece).toString();
    for (const look of looks) look();
  };
  stream.listen({ onStdout: add, onStderr: add, onExit: (ended) => resolveExit(ended) });
  return {
    exit,
    text: () => text,
    until: (wanted: string) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (text.includes(wanted)) resolve();
        };
        looks = [...looks, look];
        look();
      }),
  };
}

test("stdout, stderr and the exit status come apart", async () => {
  const stream = await supervisor.exec({ shell: "echo out; echo err >&2; exit 5" });
  const { exit, stdout, stderr } = await stream.collect();
  expect(exit).toEqual({ code: 5, signal: null, error: null });
  expect([stdout.toString(), stderr.toString()]).toEqual(["out\n", "err\n"]);
});

test("stdin arrives whole, with its end", async () => {
  const bytes = randomBytes(20 * 1024 * 1024);
  const stream = await supervisor.exec({ argv: ["sha256sum"] });
  const { exit, stdout } = await stream.collect(bytes);
  expect(exit.code).toBe(0);
  expect(stdout.toString()).toContain(createHash("sha256").update(bytes).digest("hex"));
});

test("20 MB that a program prints just before it ends arrive whole, also to a slow reader", async () => {
  const script = `const b = Buffer.alloc(20 << 20);
    for (let n = 0; n < b.length; n++) b[n] = (n * 31) >> 3;
    for (let at = 0; at < b.length;) at += require("fs").writeSync(1, b, at);
    process.exit(0);`;
  const stream = await supervisor.exec({ argv: [process.execPath, "-e", script] });
  const expected = Buffer.alloc(20 << 20);
  for (let n = 0; n < expected.length; n++) expected[n] = (n * 31) >> 3;
  const hash = createHash("sha256");
  let pieces = 0;
  await new Promise<void>((resolve) => {
    stream.listen({
      onStdout: (piece) => {
        hash.update(piece);
        if (++pieces % 50 !== 0) return;
        stream.pause();
        setImmediate(() => stream.resume());
      },
      onStderr: () => undefined,
      onExit: (exit) => {
        expect(exit.code).toBe(0);
        resolve();
      },
    });
  });
  expect(hash.digest("hex")).toBe(createHash("sha256").update(expected).digest("hex"));
});

test("a reader that stands still holds the program, which goes on when it reads", async () => {
  const script = `require("fs").writeSync(2, String(process.pid));
    const b = Buffer.alloc(60_000_000);
    for (let at = 0; at < b.length;) at += require("fs").writeSync(1, b, at, 65536 > b.length - at ? b.length - at : 65536);`;
  const stream = await supervisor.exec({ argv: [process.execPath, "-e", script] });
  let length = 0;
  let ended = false;
  let tellPid: (pid: number) => void;
  const pid = new Promise<number>((resolve) => {
    tellPid = resolve;
  });
  const exit = new Promise<ExecExit>((resolve) => {
    stream.listen({
      onStdout: (piece) => {
        length += piece.length;
      },
      onStderr: (piece) => {
        tellPid(Number(Buffer.from(piece)));
        stream.pause();
      },
      onExit: resolve,
    });
  });
  void exit.then(() => {
    ended = true;
  });
  await untilIdle(await pid);
  expect(existsSync(`/proc/${await pid}`)).toBe(true);
  expect(ended).toBe(false);
  stream.resume();
  expect(await exit).toMatchObject({ code: 0 });
  expect(length).toBe(60_000_000);
});

test("a program that does not read its input ends, and what was sent is dropped", async () => {
  const stream = await supervisor.exec({ shell: "exec 0<&-; sleep 0.1; echo done; exit 4" });
  const { exit, stdout } = await stream.collect(Buffer.alloc(8 << 20));
  expect([exit.code, stdout.toString()]).toEqual([4, "done\n"]);
});

test("a signal reaches the whole process group, and is named in the exit", async () => {
  const stream = await supervisor.exec({ shell: "echo up; sleep 1000; echo never" });
  const seen = watch(stream);
  await seen.until("up");
  stream.signal("TERM");
  expect(await seen.exit).toEqual({ code: null, signal: "TERM", error: null });
  stream[Symbol.dispose]();
});

test("what cannot start says why: 127 not found, 126 not executable", async () => {
  for (const pty of [null, { term: "xterm", ...size }]) {
    const missing = await supervisor.exec({ argv: ["no-such-program"], pty });
    expect((await missing.collect()).exit).toEqual({
      code: 127,
      signal: null,
      error: "no-such-program: not found",
    });
    const folder = await supervisor.exec({ argv: ["/etc"], pty });
    expect((await folder.collect()).exit).toMatchObject({ code: 126 });
  }
});

test("the login shell reads commands from stdin", async () => {
  const stream = await supervisor.exec({});
  const { exit, stdout } = await stream.collect("echo I am $0; exit 3\n");
  expect([exit.code, stdout.toString()]).toEqual([3, "I am /bin/sh\n"]);
});

test("environment and folder are the asked ones", async () => {
  const stream = await supervisor.exec({
    shell: "echo $GREETING; pwd",
    cwd: "/usr",
    env: { GREETING: "hi" },
  });
  expect((await stream.collect()).stdout.toString()).toBe("hi\n/usr\n");
});

test("a hangup ends even a program that ignores HUP and TERM", async () => {
  const stream = await supervisor.exec({
    shell: `trap "" HUP TERM; echo deaf; while :; do sleep 1; done`,
  });
  const seen = watch(stream);
  await seen.until("deaf");
  stream.hangup();
  expect(await seen.exit).toMatchObject({ signal: "KILL" });
});

test("a stream that closes gives a program without a pty its end of input", async () => {
  const file = join(supervisor.home, "file");
  const stream = await supervisor.exec({
    shell: `echo ready; cat > ${file}.part; mv ${file}.part ${file}`,
  });
  const seen = watch(stream);
  await seen.until("ready");
  stream.write(Buffer.from("all of it"));
  stream[Symbol.dispose]();
  await expect.poll(() => existsSync(file), { timeout: 5000 }).toBe(true);
  expect(await readFile(file, "utf8")).toBe("all of it");
});

test("a stream that closes ends a program without a pty that goes on", async () => {
  const stream = await supervisor.exec({
    shell: `trap "" HUP TERM; echo pid-$$; while :; do sleep 1; done`,
  });
  const seen = watch(stream);
  await seen.until("\n");
  const pid = Number(/pid-(\d+)/.exec(seen.text())?.[1]);
  process.kill(pid, 0);
  stream[Symbol.dispose]();
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5000 }).toBe(false);
});

test("with a pty the program is a terminal, and resizes", async () => {
  const stream = await supervisor.exec({
    shell: "tty; stty size; echo $TERM; read x; stty size; exit 6",
    pty: { term: "vt220", ...size },
  });
  const seen = watch(stream);
  await seen.until("vt220");
  expect(seen.text()).toMatch(/\/dev\/pts\/\d+\r\n33 90\r\n/);
  expect(await supervisor.terminals()).toMatchObject([{ running: true, ...size }]);
  stream.resize({ cols: 70, rows: 20 });
  stream.write(Buffer.from("\n"));
  expect(await seen.exit).toEqual({ code: 6, signal: null, error: null });
  expect(seen.text()).toContain("20 70");
  // Its reader has seen the end: there is nothing to look at any more.
  expect(await supervisor.terminals()).toEqual([]);
});

test("a pty's output is whole when the program ends at once", async () => {
  for (let round = 0; round < 10; round++) {
    const pty = { term: "xterm", ...size };
    const stream = await supervisor.exec({ shell: "seq 1 50000", pty });
    const { exit, stdout } = await stream.collect();
    expect(exit.code).toBe(0);
    expect(stdout.toString().match(/\d+\r\n/g)?.length).toBe(50_000);
  }
});

test("a stream that closes without hangup leaves the pty's program as a terminal", async () => {
  const stream = await supervisor.exec({ argv: ["cat"], pty: { term: "xterm", ...size } });
  const seen = watch(stream);
  stream.write(Buffer.from("before\n"));
  await seen.until("before");
  stream[Symbol.dispose]();
  await seen.exit;
  const [terminal] = await supervisor.terminals();
  expect(terminal).toMatchObject({ running: true, title: "cat" });
  using client = await supervisor.attach(terminal?.id ?? "");
  client.type("after\n");
  await client.untilText("after");
  expect(client.bytes.toString()).toContain("before");
});

test("a hangup ends a pty's program and removes its terminal", async () => {
  const stream = await supervisor.exec({ argv: ["cat"], pty: { term: "xterm", ...size } });
  const seen = watch(stream);
  stream.write(Buffer.from("x\n"));
  await seen.until("x");
  stream.hangup();
  expect(await seen.exit).toMatchObject({ signal: "HUP" });
  expect(await supervisor.terminals()).toEqual([]);
});

test("a peer that sends too long or unknown frames loses its connection, and nobody else does", async () => {
  const other = await supervisor.exec({ argv: ["cat"] });
  for (const bytes of [
    Buffer.from([1, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([99, 0, 0, 0, 0]),
    Buffer.from([4, 0, 0, 0, 1, 65]),
  ]) {
    const socket = await supervisor.execSocket({ argv: ["cat"] });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    socket.on("end", () => socket.end());
    socket.write(bytes);
    await closed;
  }
  const { exit, stdout } = await other.collect("still here");
  expect([exit.code, stdout.toString()]).toEqual([0, "still here"]);
  expect((await supervisor.http("GET", supervisorPaths.terminals)).status).toBe(200);
});
