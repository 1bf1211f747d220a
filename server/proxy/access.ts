import type { PortHost } from "../ports/hostname.ts";
import type { Target } from "../terminals/supervisors.ts";
import type { Clock } from "../util/clock.ts";

/** Who a port's cookie says is there, and by which of their sessions. */
export interface PortSession {
  readonly userId: string;
  readonly tokenId: string;
}

/**
 * What somebody gets of a port:
 * - `reach`: the port
 * - `sign-in`: nobody is signed in, or no longer, and the port is not for everybody (or there is none)
 * - `nothing`: it is not theirs, or there is no such port
 */
export type Decision = {
  /** Whose changes may change this answer; null where the name is of no workspace. */
  readonly workspaceId: string | null;
} & (
  | {
      readonly kind: "reach";
      readonly target: Target;
      /** As the workspace's own network names it. */
      readonly host: string;
      /** False: the session ended, or there is none; the port is for everybody. */
      readonly signedIn: boolean;
    }
  | { readonly kind: "sign-in" | "nothing" }
);

/** Asked for each port by itself: who may see it is set by port. */
export type Authorize = (session: PortSession | null, host: PortHost) => Promise<Decision>;

/**
 * A page asks for hundreds of files at once. Revocations and changes of a workspace are told, and
 * clear what is kept; this is for the end of a session by time, and for what was not told.
 */
const keptMs = 3000;
const maxKept = 1000;

interface Kept {
  readonly until: number;
  readonly session: PortSession | null;
  readonly decision: Promise<Decision>;
  /** Undefined until it is known. */
  workspaceId: string | null | undefined;
  outdated: boolean;
}

/** Asks who may reach which port, and keeps each answer until something changes. */
export class Access {
  readonly #authorize: Authorize;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(authorize: Authorize, clock: Clock) {
    this.#authorize = authorize;
    this.#clock = clock;
  }

  async of(session: PortSession | null, host: PortHost): Promise<Decision> {
    for (;;) {
      const kept = this.#ask(session, host);
      const decision = await kept.decision;
      // Something changed while the answer was on its way: it may be of before.
      if (!kept.outdated) return decision;
    }
  }

  /** @param workspaceId null: any. */
  forgetWorkspace(workspaceId: string | null): void {
    // Of an answer that is still awaited nobody knows whose it is.
    this.#drop(
      (kept) =>
        workspaceId === null || kept.workspaceId === undefined || kept.workspaceId === workspaceId,
    );
  }

  /** @param id of a session or a user; null: any. */
  forgetRevoked(id: string | null): void {
    this.#drop(({ session }) => id === null || session?.tokenId === id || session?.userId === id);
  }

  #ask(session: PortSession | null, host: PortHost): Kept {
    const key = JSON.stringify([session?.tokenId, host.port, host.service, host.workspace]);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#clock.now()) return kept;
    // Without order of use: at the worst somebody is asked for once more.
    if (this.#kept.size >= maxKept) this.#drop(() => true);
    const decision = this.#authorize(session, host);
    const until = this.#clock.now() + keptMs;
    const asked: Kept = { until, session, decision, workspaceId: undefined, outdated: false };
    this.#kept.set(key, asked);
    decision.then(
      ({ workspaceId }) => (asked.workspaceId = workspaceId),
      () => this.#drop((one) => one === asked),
    );
    return asked;
  }

  #drop(which: (kept: Kept) => boolean): void {
    for (const [key, kept] of this.#kept) {
      if (!which(kept)) continue;
      kept.outdated = true;
      this.#kept.delete(key);
    }
  }
}
