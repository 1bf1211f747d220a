import type { LogEntry, LogOptions } from "../services.ts";

/** What a member of the fake engine has printed, over all its starts. */
export class FakeLog {
  readonly #entries: LogEntry[] = [];
  readonly #watchers = new Set<() => void>();

  print(text: string): void {
    const at = new Date(this.#entries.length).toISOString();
    this.#entries.push({ at, stream: "stdout", data: Buffer.from(text) });
    this.lookAgain();
  }

  /** Something has changed for those who follow it. */
  lookAgain(): void {
    for (const look of this.#watchers) look();
  }

  async *read(
    { signal, follow, tail, after }: LogOptions,
    isRunning: () => boolean,
  ): AsyncGenerator<readonly LogEntry[]> {
    const kept = this.#entries.filter(({ at }) => after === null || at > after);
    let next = this.#entries.length;
    const first = tail === null ? kept : kept.slice(Math.max(0, kept.length - tail));
    if (first.length > 0) yield first;
    if (!follow) return;
    while (!signal.aborted) {
      const fresh = this.#entries.slice(next);
      next = this.#entries.length;
      if (fresh.length > 0) yield fresh;
      else if (!isRunning()) return;
      else await this.#change(signal);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        this.#watchers.delete(look);
        signal.removeEventListener("abort", look);
        resolve();
      };
      this.#watchers.add(look);
      signal.addEventListener("abort", look);
    });
  }
}
