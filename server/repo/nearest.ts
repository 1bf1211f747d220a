/** Enough for a person's repository; a remote with more branches costs no more than this. */
const maxCompared = 5000;
const maxComparedChars = 100;

/**
 * Those of `names` that somebody who wrote `wanted` may have meant, the nearest first. A name with
 * fewer parts is compared with the beginning of `wanted`, whose end may be a folder.
 *
 * @returns at most `limit` of them; none that is far off.
 */
export function nearest(wanted: string, names: readonly string[], limit: number): string[] {
  const parts = wanted.toLowerCase().split("/");
  const found: { name: string; distance: number }[] = [];
  for (const name of names.slice(0, maxCompared)) {
    const lower = name.toLowerCase();
    const begin = parts.slice(0, lower.split("/").length).join("/");
    const most = Math.floor(begin.length / 3);
    const distance = lower.endsWith(`/${wanted.toLowerCase()}`)
      ? 0
      : editDistance(begin, lower, most);
    if (distance !== null) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, limit).map(({ name }) => name);
}

/** How many characters to add, remove or change (Levenshtein); null when more than `most`. */
function editDistance(a: string, b: string, most: number): number | null {
  if (Math.max(a.length, b.length) > maxComparedChars) return null;
  if (Math.abs(a.length - b.length) > most) return null;
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const changed = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(changed, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    if (Math.min(...current) > most) return null;
    above = current;
  }
  const distance = above[b.length] ?? 0;
  return distance > most ? null : distance;
}
