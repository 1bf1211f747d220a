import { openSync } from "node:fs";

/**
 * The descriptors of the terminals' near ends. node-pty leaves them to be inherited, and Node has no
 * way to change that: a program that is started later would hold other terminals open, which then
 * never hang up, and could read what is typed there. (On a terminal, node-pty closes all of them.)
 */
const masters = new Set<{ readonly descriptor: number }>();
/** The first that is not a standard stream. */
const firstOther = 3;
let nothing: number | null = null;

/** To be disposed when it is closed; by then the number may be another terminal's already. */
export function masterOpened(descriptor: number): Disposable {
  const master = { descriptor };
  masters.add(master);
  return { [Symbol.dispose]: () => void masters.delete(master) };
}

/**
 * What stands behind the three standard streams in `stdio` of a spawn, so that the program has
 * /dev/null in the place of every terminal's near end. The others close by themselves.
 */
export function withoutMasters(): ("ignore" | number)[] {
  if (masters.size === 0) return [];
  const inPlace = (nothing ??= openSync("/dev/null", "r+"));
  const open = new Set([...masters].map(({ descriptor }) => descriptor));
  const count = Math.max(...open) + 1 - firstOther;
  return Array.from({ length: Math.max(0, count) }, (_, index) =>
    open.has(index + firstOther) ? inPlace : "ignore",
  );
}
