import { littleBytes } from "./own-memory.ts";

/** What takes longer, on average, is not worth it. KVM's halt_poll_ns is of this order. */
const shortMs = 0.25;

/** So many waits of each way are compared, and the better one is kept for so many. */
const comparedWaits = 64;
const keptWaits = 2048;

/** A pause, which says nothing of how long an answer takes. */
const pauseMs = 5;

let until = 0;
let awake = false;

/** The event loop goes round until then, in ms of `performance.now()`, and looks for events each time. */
function stayAwake(untilMs: number): void {
  until = untilMs;
  if (awake) return;
  awake = true;
  setImmediate(goRound);
}

function goRound(): void {
  if (performance.now() < until) setImmediate(goRound);
  else awake = false;
}

/** What is found out now, or `kept` of what was. */
type Phase = "asleep" | "awake" | "kept";

export type From = "client" | "workspace";

/**
 * Two that take turns, each with an answer of some bytes within a fraction of a millisecond: `sftp`
 * with many small files, an editor's requests, queries through a forward. A processor that has nothing
 * else to do sleeps between them, and takes as long to wake up as we need for the answer. So the event
 * loop stays awake for the next one, for 0.25 ms at most.
 *
 * Where others want the processor, that makes them, and so the answer, slower. Nobody can say which of
 * both it is, so that both are tried, and what was quicker is kept for some time.
 */
export class ShortWaits {
  readonly #stayAwake: (untilMs: number) => void;
  #lastAt = -Infinity;
  #lastFrom: From | null = null;
  #phase: Phase = "asleep";
  #awake = false;
  /** Of this phase: how many waits are to come, and how long the others took. */
  #left = comparedWaits;
  #tookMs = 0;
  #asleepMs = 0;

  constructor(stay = stayAwake) {
    this.#stayAwake = stay;
  }

  /** To be called when so many bytes were passed on. */
  passed(from: From, bytes: number): void {
    const now = performance.now();
    const waitedMs = now - this.#lastAt;
    const isAnswer = from !== this.#lastFrom;
    this.#lastAt = now;
    this.#lastFrom = from;
    if (bytes >= littleBytes || waitedMs > pauseMs) {
      this.#begin("asleep", false);
      return;
    }
    // Who only goes on waits for nobody: awake, we would take it in smaller pieces.
    if (!isAnswer) return;
    this.#tookMs += waitedMs;
    this.#left -= 1;
    if (this.#left === 0) this.#next();
    if (this.#awake) this.#stayAwake(now + shortMs);
  }

  #next(): void {
    const tookMs = this.#tookMs;
    switch (this.#phase) {
      case "asleep":
        this.#asleepMs = tookMs;
        if (tookMs < shortMs * comparedWaits) this.#begin("awake", true);
        else this.#begin("asleep", false);
        return;
      case "awake":
        this.#begin("kept", tookMs < this.#asleepMs);
        return;
      case "kept":
        this.#begin("asleep", false);
    }
  }

  #begin(phase: Phase, isAwake: boolean): void {
    this.#phase = phase;
    this.#awake = isAwake;
    this.#left = phase === "kept" ? keptWaits : comparedWaits;
    this.#tookMs = 0;
  }
}
