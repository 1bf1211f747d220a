import { absoluteTime, relativeTime } from "../lib/format.ts";
import { useNow } from "../lib/use-now.ts";

/** How often `3 minutes ago` is looked at again. */
const everyMs = 30_000;

/** A time as seen from now; the exact one on demand. */
export function Ago({ at }: { at: string }) {
  const now = useNow(everyMs);
  return (
    <time dateTime={at} title={absoluteTime(at)}>
      {relativeTime(at, now)}
    </time>
  );
}
