import { setTimeout as delay } from "node:timers/promises";
import type { ExecStream } from "./exec-stream.ts";

/** A hangup kills within 7 s; who has not said the end then says nothing any more. */
const endGraceMs = 10_000;

/**
 * Collects what a program says until it ends, or the signal is aborted: it is then hung up, and the
 * stream broken where even that brings no end. It resolves in any case.
 */
export async function collectWithin(
  stream: Pick<ExecStream, "collect" | "hangup" | typeof Symbol.dispose>,
  {
    input = "",
    signal,
    graceMs = endGraceMs,
    maxOutputBytes,
  }: {
    input?: string | undefined;
    signal: AbortSignal;
    graceMs?: number;
    maxOutputBytes?: number;
  },
): ReturnType<ExecStream["collect"]> {
  const ended = new AbortController();
  const stop = (): void => {
    stream.hangup();
    delay(graceMs, undefined, { signal: ended.signal }).then(
      () => stream[Symbol.dispose](),
      () => undefined,
    );
  };
  const collected = stream.collect(input, maxOutputBytes);
  signal.addEventListener("abort", stop, { once: true });
  // What was aborted before aborts no more.
  if (signal.aborted) stop();
  try {
    return await collected;
  } finally {
    signal.removeEventListener("abort", stop);
    ended.abort();
  }
}
