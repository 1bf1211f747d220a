import { setTimeout as delay } from "node:timers/promises";

/** Time and waiting, injected: tests turn it by hand. */
export interface Timers {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Rejects when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemTimers: Timers = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};
