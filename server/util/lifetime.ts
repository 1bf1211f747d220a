/**
 * Owns resources and ends them in reverse order. (`AsyncDisposableStack` is missing on Node 20 and
 * 22.) Every timer, socket, process and subscription belongs to one of these or to an `await using`.
 */
export class Lifetime implements AsyncDisposable {
  readonly #owned: (() => unknown)[] = [];
  #ended: Promise<void> | null = null;

  /** Takes ownership of a resource and returns it. */
  own<Resource extends Disposable | AsyncDisposable>(resource: Resource): Resource {
    this.defer(() =>
      Symbol.asyncDispose in resource
        ? resource[Symbol.asyncDispose]()
        : resource[Symbol.dispose](),
    );
    return resource;
  }

  /** Runs when this lifetime ends. */
  defer(end: () => unknown): void {
    if (this.#ended !== null) throw new Error("this lifetime has ended");
    this.#owned.push(end);
  }

  /** An AbortSignal that fires when this lifetime ends. */
  signal(): AbortSignal {
    const controller = new AbortController();
    this.defer(() => controller.abort());
    return controller.signal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    const failures: unknown[] = [];
    for (let end = this.#owned.pop(); end !== undefined; end = this.#owned.pop()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "ending a lifetime failed");
  }
}
