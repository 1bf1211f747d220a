/**
 * Much output is given on in pieces of about this size: each costs two more processes a wake-up, who
 * want the cores that the program and the kernel's terminal work on.
 * Less than half of a terminal's ring, so that one piece alone never holds the program up.
 */
export const pieceBytes = 112 * 1024;

/** A piece that is not full waits for so many turns of the event loop without output: microseconds. */
const turnsWithoutOutput = 3;

/** Calls back when a few turns of the event loop passed without a `moved`; nothing waits for a timer. */
export class QuietTurns {
  readonly #onQuiet: () => void;
  #waiting = false;
  #turning = false;
  #quiet = 0;

  constructor(onQuiet: () => void) {
    this.#onQuiet = onQuiet;
  }

  moved(): void {
    this.#waiting = true;
    this.#quiet = 0;
    if (!this.#turning) this.#turn();
  }

  stop(): void {
    this.#waiting = false;
  }

  #turn(): void {
    this.#turning = this.#waiting;
    if (!this.#turning) return;
    this.#quiet += 1;
    if (this.#quiet > turnsWithoutOutput) this.#onQuiet();
    setImmediate(() => this.#turn());
  }
}

/** Of a piece whose bytes were taken: the next one is written over it, whosever that is. */
let spare: Buffer | null = null;

/**
 * A piece that is read into where it stands, without a copy. Its memory is used again: memory
 * outside of JavaScript's heap is what has V8 mark that heap, each 64 MiB once.
 */
export class ReadPieces {
  readonly #onPiece: (piece: Buffer) => boolean;
  readonly #turns = new QuietTurns(() => this.flush());
  #memory: Buffer | null = null;
  #filled = 0;

  /** @param onPiece says whether the bytes are done with; else they stay as they are. */
  constructor(onPiece: (piece: Buffer) => boolean) {
    this.#onPiece = onPiece;
  }

  /** Something was read that is not given yet. */
  get waiting(): boolean {
    return this.#filled > 0;
  }

  /**
   * Adds `first`, which was read already, and what `read` gives until that is 0 or the piece is full.
   *
   * @param readBytes at most this much of one `read(into, at)`.
   */
  fill(first: Buffer, readBytes: number, read: (into: Buffer, at: number) => number): void {
    if (this.#filled + first.length > pieceBytes) this.flush();
    const memory = (this.#memory ??= takeMemory());
    first.copy(memory, this.#filled);
    this.#filled += first.length;
    while (this.#filled <= pieceBytes - readBytes) {
      const more = read(memory, this.#filled);
      if (more === 0) {
        this.#turns.moved();
        return;
      }
      this.#filled += more;
    }
    this.flush();
  }

  /** Gives what is held, now. */
  flush(): void {
    const memory = this.#memory;
    const filled = this.#filled;
    this.#turns.stop();
    if (memory === null) return;
    this.#memory = null;
    this.#filled = 0;
    if (this.#onPiece(memory.subarray(0, filled))) spare = memory;
  }
}

function takeMemory(): Buffer {
  const memory = spare ?? Buffer.allocUnsafeSlow(pieceBytes);
  spare = null;
  return memory;
}
