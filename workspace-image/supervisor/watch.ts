import type { DetectedPort } from "../../server/protocol/control.ts";
import { Ports } from "./ports.ts";
import { SocketCount } from "./socket-count.ts";

/**
 * A program that listens is to be noticed within a second. The kernel has no event for it that a
 * container without privileges could wait for, so this is the one poll in a workspace.
 */
export const defaultPollMs = 500;

/**
 * While nothing happens, only the number of sockets is looked at. What that cannot show, one socket
 * that takes another's place between two looks, needs somebody who does it: after their last move
 * the tables are read for as long as a build and a start take …
 */
const defaultAlertMs = 30_000;

/** … and then only now and then, for what a workspace does by itself. */
const defaultRestMs = 10_000;

export interface WatchOptions {
  readonly ownPort: () => number;
  readonly pollMs?: number | undefined;
  readonly alertMs?: number;
  readonly restMs?: number;
  /** In place of /proc/net. */
  readonly procNet?: string;
}

/** Looks for ports while somebody wants to know. */
export class Watch implements Disposable {
  readonly #ports: Ports;
  readonly #count: SocketCount;
  readonly #pollMs: number;
  readonly #alertMs: number;
  readonly #restMs: number;
  #timer: NodeJS.Timeout | null = null;
  /** Milliseconds of performance.now(). */
  #stirredAt = -Infinity;
  #lookedAt = -Infinity;

  constructor(options: WatchOptions) {
    const { procNet = "/proc/net" } = options;
    this.#ports = new Ports(options.ownPort, procNet);
    this.#count = new SocketCount(procNet);
    this.#pollMs = options.pollMs ?? defaultPollMs;
    this.#alertMs = options.alertMs ?? defaultAlertMs;
    this.#restMs = options.restMs ?? defaultRestMs;
  }

  get ports(): readonly DetectedPort[] {
    return this.#ports.list;
  }

  /** Looks at once, without a word to `onPorts`, and then all the time; a second call only looks. */
  start(onPorts: () => void): void {
    this.stir();
    this.#count.look();
    this.#ports.look();
    this.#lookedAt = performance.now();
    this.#timer ??= setInterval(() => {
      if (this.#lookForPorts()) onPorts();
    }, this.#pollMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Something happens in the workspace. */
  stir(): void {
    this.#stirredAt = performance.now();
  }

  [Symbol.dispose](): void {
    this.stop();
    this.#ports[Symbol.dispose]();
    this.#count[Symbol.dispose]();
  }

  #lookForPorts(): boolean {
    const now = performance.now();
    if (this.#count.look()) this.#stirredAt = now;
    const atRest = now - this.#stirredAt > this.#alertMs;
    if (atRest && now - this.#lookedAt < this.#restMs) return false;
    this.#lookedAt = now;
    return this.#ports.look();
  }
}
