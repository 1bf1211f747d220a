/** Whether a name in a COPY may stand for others than itself. */
export function isPattern(part: string): boolean {
  return /[*?[\\]/.test(part);
}

/** One character, or any number of any. */
type Piece = "*" | ((char: string) => boolean);

/**
 * One name against one pattern of Go's path/filepath.Match, which builders use. Only the last star
 * is gone back to: time grows with the product of the lengths, whatever somebody writes.
 */
export function matches(pattern: string, name: string): boolean {
  if (!isPattern(pattern)) return pattern === name;
  const pieces = piecesOf(pattern);
  const chars = Array.from(name);
  let [at, of] = [0, 0];
  let star: { of: number; at: number } | null = null;
  while (at < chars.length) {
    const piece = pieces[of];
    if (piece === "*") {
      star = { of, at };
      of += 1;
    } else if (piece?.(chars[at] ?? "") === true) {
      at += 1;
      of += 1;
    } else if (star !== null) {
      star.at += 1;
      [at, of] = [star.at, star.of + 1];
    } else return false;
  }
  return pieces.slice(of).every((piece) => piece === "*");
}

function piecesOf(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  for (let rest = pattern; rest !== "";) {
    const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/su.exec(rest);
    const one = /^(?:\\(.)|.)/su.exec(rest);
    const char = one?.[1] ?? one?.[0] ?? "";
    if (set !== null) {
      const ranges = [...(set[2] ?? "").matchAll(/\\?(.)(?:-\\?(.))?/gsu)];
      const isNegated = set[1] === "^";
      pieces.push((given) => {
        const isIn = ranges.some(([, low = "", high = low]) => low <= given && given <= high);
        return isIn !== isNegated;
      });
    } else if (rest.startsWith("*")) pieces.push("*");
    else if (rest.startsWith("?")) pieces.push(() => true);
    else pieces.push((given) => given === char);
    rest = rest.slice((set ?? one)?.[0].length ?? 1);
  }
  return pieces;
}
