import { closeSync, openSync, readSync } from "node:fs";

/** Where the kernel counts the processes that it ended for memory: cgroup version 2, and 1. */
const counters = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/** Both files are a handful of short lines. */
const counterBytes = 512;

/** Learns that the kernel ended a process of this container for memory. */
export class MemoryWatch implements Disposable {
  #fd: number | null;
  #now: Buffer = Buffer.alloc(counterBytes);
  #before: Buffer = Buffer.alloc(counterBytes);
  #killed = 0;

  constructor(files: readonly string[] = counters) {
    this.#fd = openFirst(files);
    this.look();
  }

  /** Whether it happened since the last look; never where the container cannot see the counter. */
  look(): boolean {
    if (this.#fd === null) return false;
    try {
      this.#now.fill(0);
      readSync(this.#fd, this.#now, 0, counterBytes, 0);
    } catch {
      return false;
    }
    if (this.#now.equals(this.#before)) return false;
    const killed = Number(/^oom_kill (\d+)$/m.exec(this.#now.toString("latin1"))?.[1] ?? 0);
    [this.#now, this.#before] = [this.#before, this.#now];
    const more = killed > this.#killed;
    this.#killed = killed;
    return more;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}

function openFirst(files: readonly string[]): number | null {
  for (const file of files) {
    try {
      return openSync(file, "r");
    } catch {
      // The container does not see it.
    }
  }
  return null;
}
