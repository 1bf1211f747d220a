import { existsSync, readFileSync } from "node:fs";

/** The unit of /proc/stat: one hundredth of a second on every Linux that Node runs on. */
const tickMs = 10;

/**
 * Milliseconds of which the host gave this machine's processors to others though they had work
 * (`steal`, proc_stat(5)), of all processors together; 0 where none of that is known.
 */
function stolenMs(): number {
  if (!existsSync("/proc/stat")) return 0;
  const [, ticks = "0"] = /^cpu +(?:\d+ +){7}(\d+)/.exec(readFileSync("/proc/stat", "utf8")) ?? [];
  return Number(ticks) * tickMs;
}

/**
 * How long something took, in milliseconds, without what the machine was not there: a promise in
 * seconds is one of the product, and not of a host that is shared.
 */
export function stopwatch(): () => number {
  const begun = performance.now();
  const stolen = stolenMs();
  return () => Math.max(0, performance.now() - begun - (stolenMs() - stolen));
}
