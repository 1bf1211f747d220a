/** A schema version's major, minor and patch number. */
export type Version = readonly [number, number, number];

/** Whether version `a` came before `b`. */
export function before(a: Version, b: Version): boolean {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0);
}
