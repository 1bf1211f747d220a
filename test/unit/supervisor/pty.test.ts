import { afterEach, expect, test, vi } from "vitest";
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
      onData: (chunk) => chunks.push(chunk),
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
