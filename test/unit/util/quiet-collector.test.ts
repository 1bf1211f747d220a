import { constants, PerformanceObserver } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { collectWhenQuiet } from "../../../server/util/quiet-collector.ts";

const everyMs = 100;
const junk: object[] = [];

/** Objects that have outlived collections of the young. */
function oldObjects(count: number): object[] {
  const kept = Array.from({ length: count }, (_, at) => ({ at, next: {} }));
  for (let round = 0; round < 3_000_000; round += 1) junk[round % 1000] = { round };
  return kept;
}

/** How to see whether one of what was garbage at once is still there. */
function oldGarbage(count: number): WeakRef<object> {
  return new WeakRef(oldObjects(count)[0] as object);
}

/** Counts the collections that were asked for: V8 has its own, too. */
function askedFor(): Disposable & { readonly count: number } {
  let count = 0;
  const seen = new PerformanceObserver((list) => {
    const entries = list.getEntries() as unknown as {
      readonly detail: { readonly flags: number };
    }[];
    for (const { detail } of entries) {
      if ((detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) count += 1;
    }
  });
  seen.observe({ entryTypes: ["gc"] });
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => seen.disconnect(),
  };
}

/** After a collection of what there was before. */
async function begun(collections: { readonly count: number }): Promise<Disposable> {
  const collector = collectWhenQuiet(everyMs);
  await expect.poll(() => collections.count, { timeout: 30_000 }).toBe(2);
  return collector;
}

describe("memory in quiet times", () => {
  it("is given back by garbage that has grown old, and then no more", async () => {
    using collections = askedFor();
    using _ = await begun(collections);
    const garbage = oldGarbage(300_000);
    await vi.waitFor(() => expect(garbage.deref() === undefined).toBe(true), {
      timeout: 30_000,
      interval: everyMs,
    });
    await expect.poll(() => collections.count, { timeout: 30_000 }).toBe(4);
    await delay(10 * everyMs);
    expect(collections.count).toBe(4);
  });

  it.each([
    ["after the end", { count: 300_000, ends: true }],
    ["where it would be little", { count: 1000, ends: false }],
  ])("is not looked for %s", async (_when, { count, ends }) => {
    using collections = askedFor();
    using collector = await begun(collections);
    if (ends) collector[Symbol.dispose]();
    const kept = oldObjects(count);
    await delay(10 * everyMs);
    expect(collections.count).toBe(2);
    expect(kept).toHaveLength(count);
  });

  it("is not looked for while there is something to do", async () => {
    using collections = askedFor();
    using _ = await begun(collections);
    const kept = oldObjects(300_000);
    const end = performance.now() + 10 * everyMs;
    while (performance.now() < end) {
      const until = performance.now() + 5;
      while (performance.now() < until);
      await delay(1);
    }
    expect(collections.count).toBe(2);
    expect(kept).toHaveLength(300_000);
  });
});
