/**
 * A signal that aborts with `parent`, or when the time is over. Dispose it when the work is done.
 *
 * (`AbortSignal.any` over `AbortSignal.timeout` is not that on Node 20: nothing holds the timeout, and
 * once the garbage collector takes it the signal never aborts.)
 */
export function deadline(
  parent: AbortSignal,
  timeoutMs: number,
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(parent.aborted ? parent.reason : timeOver());
  const timer = setTimeout(abort, timeoutMs);
  if (parent.aborted) abort();
  parent.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent.removeEventListener("abort", abort);
    },
  };
}

function timeOver(): DOMException {
  return new DOMException("The time is over.", "TimeoutError");
}
