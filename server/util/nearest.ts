/** So many names that may have been meant help; more are a list to read. */
const shown = 3;
/** Longer names are never compared letter by letter. */
const maxComparedChars = 100;

export interface Nearness {
  /** How far a name is from the wanted one; null where nobody who writes this means that. */
  distanceFrom(wanted: string): (name: string) => number | null;
  /** At most so many names are compared: who asks knows how many there can be, and how often. */
  readonly compared: number;
}

/** Those of `names` that somebody who wrote `wanted` may have meant: at most three, nearest first. */
export function nearest(wanted: string, names: Iterable<string>, by: Nearness): string[] {
  const distanceOf = by.distanceFrom(wanted);
  const found: { name: string; distance: number }[] = [];
  let compared = 0;
  for (const name of names) {
    if (compared === by.compared) break;
    compared += 1;
    const distance = distanceOf(name);
    if (distance !== null) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, shown).map(({ name }) => name);
}

/**
 * How many slips lie between two names: a character more, less, or another, or two neighbours
 * exchanged (Damerau's distance in its restricted form: nothing is changed twice).
 *
 * @returns null when more than `most`, or when a name is too long to compare.
 */
export function editDistance(a: string, b: string, most: number): number | null {
  if (Math.max(a.length, b.length) > maxComparedChars) return null;
  if (Math.abs(a.length - b.length) > most) return null;
  const tooFar = most + 1;
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  let current: number[] = [];
  for (let row = 1; row <= a.length; row += 1) {
    // Further than `most` from the diagonal everything is too far.
    const from = Math.max(1, row - most);
    const to = Math.min(b.length, row + most);
    let least = from === 1 ? row : tooFar;
    current[from - 1] = least;
    for (let column = from; column <= to; column += 1) {
      const changed = (above[column - 1] ?? tooFar) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const added = (current[column - 1] ?? tooFar) + 1;
      let slips = Math.min(changed, added, (above[column] ?? tooFar) + 1);
      if (row > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        slips = Math.min(slips, (twoAbove[column - 2] ?? tooFar) + 1);
      }
      current[column] = slips;
      least = Math.min(least, slips);
    }
    current[to + 1] = tooFar;
    if (least > most) return null;
    [twoAbove, above, current] = [above, current, twoAbove];
  }
  const distance = above[b.length] ?? tooFar;
  return distance > most ? null : distance;
}
