/**
 * A signal that aborts with `parent`, or when the time is over. Dispose it when the work is done.
 *
 * (`AbortSignal.timeout` is not that on Node 20, where anything is derived from it by
 * `AbortSignal.any`: nothing holds the timeout, and once the garbage collector takes it nothing ever
 * aborts. The lint keeps it out.)
 *
 * @param parent null: only the time ends it.
 */
export function deadline(
  parent: AbortSignal | null,
  timeoutMs: number,
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(parent?.aborted === true ? parent.reason : timeOver());
  const timer = setTimeout(abort, timeoutMs);
  if (parent?.aborted === true) abort();
  parent?.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent?.removeEventListener("abort", abort);
    },
  };
}

function timeOver(): DOMException {
  return new DOMException("The time is over.", "TimeoutError");
}
