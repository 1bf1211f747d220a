import { readFileSync } from "node:fs";
import { vi } from "vitest";

/** Resolves when a process has written nothing between two looks, or has ended. */
export async function untilIdle(pid: number): Promise<void> {
  let before = -1;
  await vi.waitUntil(
    () => {
      const written = writtenBytes(pid);
      const idle = written === before;
      before = written;
      return idle;
    },
    { interval: 200, timeout: 10_000 },
  );
}

function writtenBytes(pid: number): number {
  try {
    return Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
  } catch {
    return 0;
  }
}
