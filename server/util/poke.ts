/** Wakes one waiter: a poke that comes before the wait is not lost, several count as one. */
export class Poke {
  #poked = false;
  #wake: (() => void) | null = null;

  poke(): void {
    this.#poked = true;
    this.#wake?.();
  }

  /**
   * Resolves true at the next poke, false when the signal is aborted.
   *
   * @param atMostMs without a poke it is true after this time.
   */
  async wait(signal: AbortSignal, atMostMs: number | null = null): Promise<boolean> {
    if (!this.#poked && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = atMostMs === null ? null : setTimeout(() => wake(), atMostMs);
        const wake = (): void => {
          if (timer !== null) clearTimeout(timer);
          signal.removeEventListener("abort", wake);
          this.#wake = null;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
      });
    }
    this.#poked = false;
    return !signal.aborted;
  }
}
