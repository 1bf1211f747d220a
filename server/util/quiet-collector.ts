import { performance, type EventLoopUtilization } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How long it has to have been quiet. */
const usualMs = 5_000;

/** Of that time, in which the process had something to do. */
const quietShare = 0.02;

/** A collection takes some 10 to 50 ms: for less than this it is not worth them. */
const worthBytes = 4 * 1024 * 1024;

/** The second is for the pages of the young, which V8 gives back only when little was allocated lately. */
const collectionsEach = 2;

/** V8 has it for those who ask for it by a flag, in contexts that are made afterwards. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/** Old objects, alive or not: those of which V8 collects none until so many have been added again. */
function oldBytes(): number {
  const young = /^(?:new|read_only|code|shared)_/;
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => !young.test(name))
    .reduce((sum, { space_used_size: bytes }) => sum + bytes, 0);
}

/**
 * Gives memory back when nobody needs the processor. What hundreds of logins leave behind has grown
 * old by the time it is garbage, and V8 keeps that until the heap has grown by half: of an idle session
 * more than half of its memory would be what its beginning needed.
 *
 * @param everyMs how often it is looked whether it was quiet since.
 */
export function collectWhenQuiet(everyMs = usualMs): Disposable {
  const collect = collector();
  let since: EventLoopUtilization = performance.eventLoopUtilization();
  let least = oldBytes();
  // A start leaves much behind.
  let due = collectionsEach;
  const timer = setInterval(() => {
    const { utilization } = performance.eventLoopUtilization(since);
    since = performance.eventLoopUtilization();
    const bytes = oldBytes();
    least = Math.min(least, bytes);
    if (bytes - least >= worthBytes) due = collectionsEach;
    if (utilization > quietShare || due === 0) return;
    collect();
    due -= 1;
    least = oldBytes();
  }, everyMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
