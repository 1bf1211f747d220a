import { once } from "node:events";
import { watch } from "node:fs";
import { deadline } from "../util/deadline.ts";

/**
 * Waits until `check` gives something, looking again whenever a file directly in `folder` changes.
 * The watch stands before the first look, so no change is missed.
 *
 * @returns `undefined` when `timeoutMs` has passed.
 */
export async function watchFolder<Found>(
  folder: string,
  { check, timeoutMs }: { check: () => Promise<Found | undefined>; timeoutMs: number },
): Promise<Found | undefined> {
  using limit = deadline(null, timeoutMs);
  const timeout = limit.signal;
  const watcher = watch(folder);
  let changed = true;
  watcher.on("change", () => (changed = true));
  try {
    for (;;) {
      changed = false;
      const found = await check();
      if (found !== undefined || timeout.aborted) return found;
      // Nothing may come between this look at `changed` and the listener of `once`.
      if (!changed)
        await once(watcher, "change", { signal: timeout }).catch(ignoreTimeout(timeout));
    }
  } finally {
    watcher.close();
  }
}

function ignoreTimeout(timeout: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!timeout.aborted) throw error;
  };
}
