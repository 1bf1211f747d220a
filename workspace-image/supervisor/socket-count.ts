import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** Both are a handful of short lines. */
const fileBytes = 1024;

/**
 * How many TCP sockets are in this network namespace: microseconds, where the tables of sockets cost
 * milliseconds of the kernel's time (to end such a file it walks the whole machine's connections).
 */
export class SocketCount implements Disposable {
  readonly #paths: readonly string[];
  readonly #buffer = Buffer.allocUnsafeSlow(fileBytes);
  #files: number[] | null = null;
  #counts = "";

  /** @param procNet the folder of this network namespace, such as /proc/net. */
  constructor(procNet: string) {
    this.#paths = [join(procNet, "sockstat"), join(procNet, "sockstat6")];
  }

  /** Whether it changed since the last look; always, where it cannot be read. */
  look(): boolean {
    this.#files ??= this.#open();
    const counts = this.#files.map((fd) => this.#count(fd)).join(" ");
    const changed = counts !== this.#counts || !/\d/.test(counts);
    this.#counts = counts;
    return changed;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#files ?? []) closeSync(fd);
    this.#files = [];
  }

  /** A kernel without IPv6 has only the first. */
  #open(): number[] {
    return this.#paths.flatMap((path) => {
      try {
        return [openSync(path, "r")];
      } catch {
        return [];
      }
    });
  }

  #count(fd: number): string {
    try {
      const length = readSync(fd, this.#buffer, 0, fileBytes, 0);
      // Of the other figures, some are the whole machine's.
      return /^TCP6?: inuse (\d+)/m.exec(this.#buffer.toString("latin1", 0, length))?.[1] ?? "";
    } catch {
      return "";
    }
  }
}
