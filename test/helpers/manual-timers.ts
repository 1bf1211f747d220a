import type { Timers } from "../../server/workspaces/mirror/timers.ts";

interface Sleeper {
  readonly ms: number;
  readonly at: number;
  readonly wake: () => void;
}

/** Time that goes on only when a test says so. */
export class ManualTimers implements Timers {
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();
  readonly #listeners = new Set<() => void>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const sleeper = {
        ms,
        at: this.#now + ms,
        wake: () => {
          signal.removeEventListener("abort", abort);
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#sleepers.add(sleeper);
      for (const listener of this.#listeners) listener();
    });
  }

  /** How many wait for something. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Waits until somebody sleeps for so long. */
  async slept(ms: number): Promise<void> {
    while (![...this.#sleepers].some((one) => one.ms === ms)) {
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.#listeners.delete(listener);
          resolve();
        };
        this.#listeners.add(listener);
      });
    }
  }

  /** Waits until somebody sleeps for so long, and lets that time pass. */
  async pass(ms: number): Promise<void> {
    await this.slept(ms);
    this.skip(ms);
  }

  /** Lets time pass for whoever sleeps now. */
  skip(ms: number): void {
    this.#now += ms;
    const due = [...this.#sleepers].filter(({ at }) => at <= this.#now);
    for (const one of due.sort((a, b) => a.at - b.at)) one.wake();
  }
}
