/** What the database tells, told by a test: the one channel of `onRevoked` and `onChange`. */
export class Told {
  readonly #listeners = new Set<(id: string | null) => void>();

  /** To everybody who listens, at once; `null` after a gap. */
  tell(id: string | null): void {
    for (const listener of this.#listeners) listener(id);
  }

  listen(listener: (id: string | null) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}
