import { constants } from "node:os";
import { groupsOf, holdersOf } from "./session-members.ts";

/** How a program that should end is made to. */
export interface KillSchedule {
  /** From HUP to TERM. */
  readonly termAfterMs: number;
  /** From TERM to KILL. */
  readonly killAfterMs: number;
  /** When the workspace stops: for all tasks of phase `stop`. */
  readonly stopTasksMs: number;
  /** After them: from HUP and TERM at once to KILL. */
  readonly stopAfterMs: number;
}

export const killSchedule: KillSchedule = {
  termAfterMs: 2000,
  killAfterMs: 5000,
  stopTasksMs: 5000,
  // The engine gives 10 s before it kills all; a database needs a moment for its last pages.
  stopAfterMs: 3000,
};

/** How long the kernel may take to report a killed process; one in uninterruptible sleep never is. */
const reapMs = 500;

/** Every program that the supervisor started leads a session of its own, and is kept here. */
export class Processes {
  readonly #running = new Set<RunningProcess>();
  readonly #schedule: KillSchedule;
  #onNone: (() => void) | null = null;

  constructor(schedule: KillSchedule = killSchedule) {
    this.#schedule = schedule;
  }

  /**
   * @param pid of a session's leader. Call `exited` when it is known to have ended.
   * @param streams its standard streams, where a connection is behind them: what has none of them
   * any more is not the connection's, and goes on when that hangs up.
   */
  add(pid: number, streams: ReadonlySet<string> | null = null): RunningProcess {
    const running = new RunningProcess({ pid, streams, schedule: this.#schedule }, () => {
      this.#running.delete(running);
      if (this.#running.size === 0) this.#onNone?.();
    });
    this.#running.add(running);
    return running;
  }

  /** Whether one of them has not ended yet. */
  get running(): boolean {
    return this.#running.size > 0;
  }

  get schedule(): KillSchedule {
    return this.#schedule;
  }

  /** HUP and TERM to all, KILL after a grace; resolves when all have ended, at once if none runs. */
  async endAll(): Promise<void> {
    for (const running of this.#running) running.signalSession("SIGHUP", "SIGTERM", "SIGCONT");
    if (await this.#none(this.#schedule.stopAfterMs)) return;
    for (const running of this.#running) running.signalSession("SIGKILL");
    await this.#none(reapMs);
  }

  #none(withinMs: number): Promise<boolean> {
    if (this.#running.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      this.#onNone = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

export class RunningProcess {
  readonly pid: number;
  readonly #schedule: KillSchedule;
  readonly #streams: ReadonlySet<string> | null;
  readonly #onExited: () => void;
  #timer: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(
    what: {
      readonly pid: number;
      readonly streams: ReadonlySet<string> | null;
      readonly schedule: KillSchedule;
    },
    onExited: () => void,
  ) {
    ({ pid: this.pid, streams: this.#streams, schedule: this.#schedule } = what);
    this.#onExited = onExited;
  }

  /** To the program's process group. */
  signal(name: NodeJS.Signals): void {
    if (!this.#ended) send(-this.pid, name);
  }

  /** HUP, TERM after 2 s, KILL after 5 s more, until the program has ended. */
  hangUp(): void {
    if (this.#timer !== null || this.#ended) return;
    this.#signalConnected("SIGHUP", "SIGCONT");
    this.#timer = setTimeout(() => {
      this.#signalConnected("SIGTERM", "SIGCONT");
      this.#timer = setTimeout(() => this.#signalConnected("SIGKILL"), this.#schedule.killAfterMs);
    }, this.#schedule.termAfterMs);
  }

  /** As `hangUp`, for a program that got its end of input just now and may finish by itself. */
  hangUpSoon(): void {
    if (this.#timer !== null || this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.hangUp();
    }, this.#schedule.termAfterMs);
  }

  /**
   * Without a terminal, a server that a shell left in the background with its output in a file goes
   * on, as with sshd: an editor's does that, and is looked for by the next connection.
   */
  #signalConnected(...names: readonly NodeJS.Signals[]): void {
    if (this.#ended) return;
    if (this.#streams === null) {
      this.signalSession(...names);
      return;
    }
    for (const pid of holdersOf(this.pid, this.#streams)) for (const name of names) send(pid, name);
  }

  /** To all process groups of the session: a shell's jobs have groups of their own. */
  signalSession(...names: readonly NodeJS.Signals[]): void {
    if (this.#ended) return;
    for (const group of groupsOf(this.pid)) for (const name of names) send(-group, name);
  }

  /** The program has ended and was reaped: its id may be another's from now on. */
  exited(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#onExited();
  }
}

function send(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch {
    // ESRCH: it has ended. EPERM: it is another user's now (su, sudo), and beyond our reach.
  }
}

/** `TERM` for 15; the number itself for one without a name. */
export function signalName(number: number): string {
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name?.slice("SIG".length) ?? String(number);
}

/** `SIGTERM` for `TERM`; `null` for a name that this kernel does not know. */
export function signalOf(name: string): NodeJS.Signals | null {
  const full = `SIG${name}`;
  return full in constants.signals ? (full as NodeJS.Signals) : null;
}

/** What a shell reports for a program that a signal ended. */
export function exitCodeOf(code: number | null, signal: string | null): number {
  if (signal === null) return code ?? 0;
  return 128 + (constants.signals[`SIG${signal}` as NodeJS.Signals] ?? 0);
}
