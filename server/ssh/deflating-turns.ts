/** To deflate so much takes a millisecond, in which nobody else is served: then it is their turn. */
const turnBytes = 32 * 1024;

/** What still has output that nothing but the turn's end keeps back. */
interface Waiting {
  flush(): void;
}

/**
 * What one turn of the event loop deflates, of all connections together. Who waits is served in the
 * order of asking: what one turn has room for is not the same one's each time.
 */
export class DeflatingTurns {
  readonly #waiting = new Set<Waiting>();
  #usedBytes = 0;

  get roomBytes(): number {
    return turnBytes - this.#usedBytes;
  }

  /** To be called with what is deflated, of `roomBytes` at most. */
  use(bytes: number): void {
    if (this.#usedBytes === 0) setImmediate(() => this.#next());
    this.#usedBytes += bytes;
  }

  /** `flush` is called, once, when there is room again. */
  wait(who: Waiting): void {
    this.#waiting.add(who);
  }

  #next(): void {
    this.#usedBytes = 0;
    for (const who of this.#waiting) {
      if (this.roomBytes === 0) return;
      this.#waiting.delete(who);
      who.flush();
    }
  }
}
