import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ExecStream } from "../../../server/terminals/exec-stream.ts";
import { testSupervisor } from "./harness.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
beforeEach(async () => {
  supervisor = await testSupervisor({ schedule: { termAfterMs: 20, killAfterMs: 20 } });
});
afterEach(() => supervisor[Symbol.asyncDispose]());

/** Starts a line in `sh`, and gives what it said first. */
async function start(line: string): Promise<{ stream: ExecStream; first: string }> {
  const stream = await supervisor.exec({ argv: ["sh", "-c", line] });
  const first = await new Promise<string>((resolve) => {
    stream.listen({
      onStdout: (piece) => resolve(Buffer.from(piece).toString()),
      onStderr: () => undefined,
      onExit: () => undefined,
    });
  });
  return { stream, first };
}

/** One that has ended and that nobody has reaped has no command line any more. */
async function untilGone(pid: number): Promise<void> {
  const line = (): Promise<string> => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  while ((await line()) !== "") await new Promise((resolve) => setImmediate(resolve));
}

test("a server in the background with its streams elsewhere goes on when the connection is gone", async () => {
  const { stream, first } = await start(
    "sleep 1000 < /dev/null > /dev/null 2>&1 & echo $! $$; exec sleep 1001",
  );
  const [server = 0, leader = 0] = first.trim().split(" ").map(Number);
  stream.hangup();
  await untilGone(leader);
  expect(existsSync(`/proc/${server}`)).toBe(true);
  process.kill(server, "SIGKILL");
});

test.each([
  ["output", "exec 3<&-; exec sleep 1000 < /dev/null 2> /dev/null"],
  ["input", "exec 0<&3 3<&-; exec sleep 1000 > /dev/null 2>&1"],
])("one that has the connection's %s ends with it", async (_, line) => {
  const { stream, first } = await start(`exec 3<&0; (${line}) & echo $!; exec 3<&-; wait`);
  const [child = 0] = first.trim().split(" ").map(Number);
  stream.hangup();
  await untilGone(child);
});
