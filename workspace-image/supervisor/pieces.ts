/**
 * Much output is given on in pieces of about this size: each costs two more processes a wake-up, who
 * want the cores that the program and the kernel's terminal work on.
 * Less than half of a terminal's ring, so that one piece alone never holds the program up.
 */
export const pieceBytes = 112 * 1024;

/** A piece that is not full waits for so many turns of the event loop without output: microseconds. */
const turnsWithoutOutput = 3;

/** Joins what comes at once; nothing waits for a timer. */
export class Pieces {
  readonly #onPiece: (chunks: readonly Buffer[]) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #quietTurns = 0;
  #turning = false;

  /** @param onPiece is given the piece in the chunks in which it came, at least one. */
  constructor(onPiece: (chunks: readonly Buffer[]) => void) {
    this.#onPiece = onPiece;
  }

  /** Something came that is not given yet. */
  get waiting(): boolean {
    return this.#held.length > 0;
  }

  add(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#quietTurns = 0;
    if (this.#heldBytes >= pieceBytes) this.flush();
    else if (!this.#turning) this.#turn();
  }

  /** Gives what is held, now. */
  flush(): void {
    const chunks = this.#held;
    if (chunks.length === 0) return;
    this.#held = [];
    this.#heldBytes = 0;
    this.#onPiece(chunks);
  }

  #turn(): void {
    this.#turning = this.waiting;
    if (!this.#turning) return;
    this.#quietTurns += 1;
    if (this.#quietTurns > turnsWithoutOutput) this.flush();
    setImmediate(() => this.#turn());
  }
}
