import { text } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { spawnPiped } from "../../../workspace-image/supervisor/exec.ts";
import { Processes } from "../../../workspace-image/supervisor/processes.ts";
import { Pty, type PtyEnd } from "../../../workspace-image/supervisor/pty.ts";

afterEach(() => vi.useRealTimers());

/** Runs a shell line on a pty that is not read before its program has ended. */
async function endUnread(line: string) {
  const processes = new Processes();
  const chunks: Buffer[] = [];
  let reportEnd: (end: PtyEnd) => void;
  const end = new Promise<PtyEnd>((resolve) => {
    reportEnd = resolve;
  });
  const pty = new Pty(
    {
      file: "/bin/sh",
      argv0: "/bin/sh",
      args: ["-c", line],
      cwd: "/",
      env: { PATH: process.env["PATH"] ?? "" },
    },
    { cols: 80, rows: 24, processes },
    {
      onData: (chunk) => {
        chunks.push(chunk);
        return false;
      },
      onEnd: (ended) => reportEnd(ended),
      onInputDrained: () => undefined,
    },
  );
  pty.pause();
  const exited = vi.spyOn(pty.process, "exited");
  await vi.waitUntil(() => exited.mock.calls.length > 0, { timeout: 10_000 });
  return { pty, chunks, end };
}

test("what a program printed before it ended is read to the last byte, however late", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], shouldAdvanceTime: true });
  // Less than the 4,095 bytes that the kernel always keeps of a terminal that nobody reads; beyond
  // that it depends on its workers, and the program would sometimes wait for a reader.
  const { pty, chunks, end } = await endUnread("head -c 3500 /dev/zero | tr '\\0' x; exit 3");
  vi.advanceTimersByTime(60_000);
  expect(chunks).toEqual([]);
  pty.resume();
  expect(await end).toEqual({ code: 3, signal: null });
  expect(Buffer.concat(chunks).length).toBe(3500);
});

test("a program without a terminal is given none of those that are open", async () => {
  const program = (line: string) => ({
    file: "/bin/sh",
    argv0: "/bin/sh",
    args: ["-c", line],
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "" },
  });
  const started = Array.from({ length: 3 }, () => {
    let runs = (): void => undefined;
    let drop = (): void => undefined;
    const running = new Promise<void>((resolve) => (runs = resolve));
    const ended = new Promise<void>((resolve) => (drop = resolve));
    const onData = (): boolean => {
      runs();
      return true;
    };
    const pty = new Pty(
      program("echo here; exec sleep 60"),
      { cols: 80, rows: 24, processes: new Processes() },
      { onData, onEnd: () => drop(), onInputDrained: () => undefined },
    );
    return { pty, running, ended };
  });
  const end = async ({ pty, ended }: (typeof started)[number]): Promise<void> => {
    pty.process.signal("SIGKILL");
    await ended;
  };
  await Promise.all(started.map(({ running }) => running));
  const [first, ...others] = started;
  // A descriptor that is free again may be another file's, which a program gets as before.
  if (first !== undefined) await end(first);
  const child = spawnPiped(program("ls -l /proc/self/fd; echo said >&2; exit 3"), "ignore");
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("a pipe is missing");
  const exit = new Promise((resolve) => child.on("exit", resolve));
  const [listed, said] = await Promise.all([text(stdout), text(stderr)]);
  expect([await exit, said]).toEqual([3, "said\n"]);
  expect(listed).toContain("/proc/");
  expect(listed).not.toMatch(/ptmx|pts/);
  await Promise.all(others.map(end));
});
