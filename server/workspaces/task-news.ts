/**
 * Says to who looks at a workspace that a task in it began or ended. Nothing of it is kept: who comes
 * later sees the tasks themselves.
 */
export class TaskNews {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** @param id of the workspace. */
  tell(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  listen(id: string, listener: () => void): Disposable {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0 && this.#listeners.get(id) === listeners)
          this.#listeners.delete(id);
      },
    };
  }
}
