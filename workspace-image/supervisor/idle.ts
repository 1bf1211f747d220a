/** Tells once that nothing was done for a while. */
export class Idle implements Disposable {
  readonly #ms: number;
  readonly #busy: () => boolean;
  readonly #onIdle: () => void;
  #timer: NodeJS.Timeout;

  constructor(ms: number, options: { readonly busy: () => boolean; readonly onIdle: () => void }) {
    this.#ms = ms;
    this.#busy = options.busy;
    this.#onIdle = options.onIdle;
    this.#timer = this.#wait();
  }

  /** Something was done just now. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#wait();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  /** What goes on has no event for its end here: it is looked at again after as long. */
  #wait(): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#busy()) this.touch();
      else this.#onIdle();
    }, this.#ms);
  }
}
