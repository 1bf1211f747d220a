import type { LogLine } from "./log-buffer.ts";

/** Where each line stands, in rows of one height: a long one takes several. */
export interface Layout {
  /** The row that each line begins in; one more at the end: all rows. */
  readonly starts: Float64Array;
  readonly rows: number;
}

/** All that is shown as one column, so that most lines need no closer look. */
const narrow = /^[ -~]*$/;

/** Columns that a text takes at most: what is not of the Latin alphabet may be twice as wide. */
export function columnsOf(text: string): number {
  if (narrow.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += (character.codePointAt(0) ?? 0) < 0x300 ? 1 : 2;
  return columns;
}

/** @param columns the width of the text in characters. */
export function layoutOf(lines: readonly LogLine[], columns: number): Layout {
  const starts = new Float64Array(lines.length + 1);
  let row = 0;
  for (const [index, { text }] of lines.entries()) {
    starts[index] = row;
    row += Math.max(1, Math.ceil(columnsOf(text) / Math.max(1, columns)));
  }
  starts[lines.length] = row;
  return { starts, rows: row };
}

/** The line that covers a row: the last that begins at or before it. */
export function lineAt({ starts }: Layout, row: number): number {
  let [low, high] = [0, Math.max(0, starts.length - 2)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A text cut where `found` stands in it, whatever its letters' case; the odd parts are `found`. */
export function cutAt(text: string, found: string): string[] {
  if (found === "") return [text];
  const [folded, wanted] = [fold(text), fold(found)];
  // Where folding changes a length, the places would not be the text's.
  if (folded.length !== text.length || wanted.length === 0) return [text];
  const parts: string[] = [];
  let from = 0;
  for (let at = folded.indexOf(wanted); at !== -1; at = folded.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), text.slice(at, at + wanted.length));
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}

export function fold(text: string): string {
  return text.toLowerCase();
}
