import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { deadline } from "../../../server/util/deadline.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

it("aborts when the time is over, also what was derived from it and held by nobody", async () => {
  // In a function of its own: nothing on the stack holds what it made.
  const derived = (): AbortSignal =>
    AbortSignal.any([deadline(null, 200).signal, new AbortController().signal]);
  const signal = derived();
  const aborted = once(signal, "abort");
  await new Promise(setImmediate);
  collectGarbage();
  await aborted;
  expect(signal.reason).toMatchObject({ name: "TimeoutError" });
});

it("aborts with its parent, at once where that has aborted before, and for its reason", () => {
  const parent = new AbortController();
  using before = deadline(parent.signal, 60_000);
  parent.abort("enough");
  using after = deadline(parent.signal, 60_000);
  for (const { signal } of [before, after]) {
    expect([signal.aborted, signal.reason]).toEqual([true, "enough"]);
  }
});

it("aborts no more after its work is done", async () => {
  const parent = new AbortController();
  const limit = deadline(parent.signal, 5);
  limit[Symbol.dispose]();
  using later = deadline(null, 20);
  await once(later.signal, "abort");
  parent.abort();
  expect(limit.signal.aborted).toBe(false);
});
