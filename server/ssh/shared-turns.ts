/**
 * What one turn of the event loop does of some work, of all who have it together, and who goes on in
 * the next one: those who wait, each once, in the order of asking.
 */
export class SharedTurns {
  readonly #turnBytes: number;
  readonly #waiting = new Set<() => void>();
  #usedBytes = 0;
  #scheduled = false;

  constructor(turnBytes: number) {
    this.#turnBytes = turnBytes;
  }

  /** 0 until the turn is over. */
  get roomBytes(): number {
    return Math.max(0, this.#turnBytes - this.#usedBytes);
  }

  use(bytes: number): void {
    this.#usedBytes += bytes;
    this.#schedule();
  }

  /**
   * @param goOn called in a turn of its own, so that nobody is before it: it may use all of the room,
   * also a little later, and ask again.
   */
  wait(goOn: () => void): void {
    this.#waiting.add(goOn);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#scheduled = false;
    this.#usedBytes = 0;
    const [goOn] = this.#waiting;
    if (goOn === undefined) return;
    this.#waiting.delete(goOn);
    this.#schedule();
    goOn();
  }
}
