/** An engine that restarts ends everything once; whatever ends it this often will do so again. */
const mostRestarts = 5;
const withinMs = 10 * 60_000;

/** How often each workspace was started again without being asked for, of late. */
export class OwnRestarts {
  readonly #now: () => number;
  /** By the workspace's id: when, the oldest first. */
  readonly #restarts = new Map<string, number[]>();

  /** @param now in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether it may be started once more; if so, that counts. */
  mayRestart(id: string): boolean {
    const now = this.#now();
    const late = (this.#restarts.get(id) ?? []).filter((at) => now - at < withinMs);
    const may = late.length < mostRestarts;
    this.#restarts.set(id, may ? [...late, now] : late);
    return may;
  }

  /** A person wants it, or it is no more: what was before counts no longer. */
  forget(id: string): void {
    this.#restarts.delete(id);
  }
}

/** Why a workspace that is to run is not started again. */
export const givenUpSentence =
  `The workspace lost its containers or its network ${mostRestarts + 1} times within ` +
  `${withinMs / 60_000} minutes, and is not started again by itself. ` +
  "`loop doctor` on the machine of the control plane looks for the reason; " +
  "then start the workspace. Source and home are kept.";
