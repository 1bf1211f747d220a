import type { Readable } from "node:stream";
import { afterEcho, echoIsAwaited, restAfterTurnMs } from "./echoes.ts";
import { littleBytes } from "./own-memory.ts";

/**
 * libuv reads a socket up to 32 times, 2 MiB, before it looks at another one; with what is done for
 * each read that is some ten milliseconds, in each process of a stream's way. After so much of one
 * stream it is the others' turn.
 */
const turnBytes = 128 * 1024;

/**
 * The reading of a stream that shares its thread with others: `hold` and `release` are the reader's
 * back pressure, and between them it rests by itself.
 */
export class Turns {
  readonly #stream: Readable;
  #taken = 0;
  #held = false;
  #resting = false;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  /** Nothing is to be read now. */
  get waits(): boolean {
    return this.#held || this.#resting;
  }

  /** To be called with the size of each piece that was read. */
  took(bytes: number): void {
    this.#taken += bytes;
    const most = bytes >= littleBytes && echoIsAwaited() ? bytes : turnBytes;
    if (this.#taken < most || this.#resting) return;
    this.#resting = true;
    this.#stream.pause();
    const next = (): void => afterEcho(() => this.#goOn());
    const restMs = bytes < littleBytes ? 0 : restAfterTurnMs();
    if (restMs === 0) setImmediate(next);
    else setTimeout(next, restMs);
  }

  #goOn(): void {
    this.#taken = 0;
    this.#resting = false;
    if (!this.#held) this.#stream.resume();
  }

  hold(): void {
    this.#held = true;
    this.#stream.pause();
  }

  release(): void {
    this.#held = false;
    if (!this.#resting) this.#stream.resume();
  }
}
