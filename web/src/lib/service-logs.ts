import { useSubscription } from "@trpc/tanstack-react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { trpc } from "./api.ts";
import { useResubscribe, useVisible } from "./live.ts";
import { LogBuffer } from "./log-buffer.ts";

/**
 * What is shown of a service a second, at most: more than anybody reads, and little enough that the
 * page answers at once while several services print without end.
 */
const bytesPerSecond = 128 * 1024;
/** How often the page shows what came: often enough to look live. */
const showEveryMs = 100;

export interface LiveLogs {
  readonly buffer: LogBuffer;
  /** Changes when there is something new to show. */
  readonly version: number;
  readonly clear: () => void;
  readonly error: unknown;
}

/**
 * The logs of these services, kept current. Mount it anew for other services.
 *
 * @param services null: all, which are `count`.
 */
export function useServiceLogs(
  workspace: string,
  { services, count }: { services: readonly string[] | null; count: number },
): LiveLogs {
  const enabled = useVisible();
  const [buffer] = useState(() => new LogBuffer(services?.length ?? count));
  const [version, setVersion] = useState(0);
  const show = useBatched(useCallback(() => setVersion((before) => before + 1), []));
  const subscription = useSubscription(
    trpc.services.logs.subscriptionOptions(
      {
        workspace,
        services: services?.slice() ?? null,
        follow: true,
        tail: buffer.linesEach,
        bytesPerSecond,
      },
      {
        enabled,
        onData: ({ data }) => {
          buffer.push(data);
          show();
        },
      },
    ),
  );
  // What begins anew begins with the last lines.
  const { reset } = subscription;
  const again = useCallback(() => {
    buffer.clear();
    reset();
  }, [buffer, reset]);
  useEffect(() => {
    if (!enabled) buffer.clear();
  }, [enabled, buffer]);
  useResubscribe({ status: subscription.status, error: subscription.error, reset: again });
  const clear = useCallback(() => {
    buffer.clear();
    setVersion((before) => before + 1);
  }, [buffer]);
  return useMemo(
    () => ({ buffer, version, clear, error: subscription.error }),
    [buffer, version, clear, subscription.error],
  );
}

/** Calls at the next frame, and then at most so often. */
function useBatched(call: () => void): () => void {
  const waiting = useRef<{ frame: number; timer: number } | null>(null);
  const last = useRef(0);
  useEffect(
    () => () => {
      if (waiting.current === null) return;
      cancelAnimationFrame(waiting.current.frame);
      clearTimeout(waiting.current.timer);
      waiting.current = null;
    },
    [],
  );
  return useCallback(() => {
    if (waiting.current !== null) return;
    const now = { frame: 0, timer: 0 };
    waiting.current = now;
    const wait = Math.max(0, last.current + showEveryMs - performance.now());
    now.timer = window.setTimeout(() => {
      now.frame = requestAnimationFrame(() => {
        waiting.current = null;
        last.current = performance.now();
        call();
      });
    }, wait);
  }, [call]);
}
