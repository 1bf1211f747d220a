import type { Target } from "../terminals/supervisors.ts";
import type { Clock } from "../util/clock.ts";

export type Authorize = (
  session: { readonly userId: string },
  workspaceName: string,
) => Promise<Target | null>;

/** A page asks for hundreds of files at once; a right that was taken away lasts this much longer. */
const keptMs = 3000;
const maxKept = 1000;

/** Asks who may reach which workspace, and keeps each answer for a few seconds. */
export class Access {
  readonly #authorize: Authorize;
  readonly #clock: Clock;
  readonly #kept = new Map<
    string,
    { readonly until: number; readonly target: Promise<Target | null> }
  >();

  constructor(authorize: Authorize, clock: Clock) {
    this.#authorize = authorize;
    this.#clock = clock;
  }

  /** @returns `null` both for a workspace that is not theirs and for one that does not exist. */
  of(userId: string, workspace: string): Promise<Target | null> {
    const key = JSON.stringify([userId, workspace]);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#clock.now()) return kept.target;
    // Without order of use: at the worst somebody is asked for once more.
    if (this.#kept.size >= maxKept) this.#kept.clear();
    const target = this.#authorize({ userId }, workspace);
    this.#kept.set(key, { until: this.#clock.now() + keptMs, target });
    target.catch(() => this.#kept.delete(key));
    return target;
  }
}
