/** A text in an editor, with its selection in UTF-16 code units. */
export interface Editing {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What to put in the place of `from`…`to`, and the selection afterwards. */
export interface Edit extends Omit<Editing, "text"> {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

/** YAML is indented by spaces; two, as the devfile's own examples are. */
const indent = "  ";

/** Tab: spaces up to the next stop, or a selection of several lines moved to the right. */
export function indented({ text, start, end }: Editing): Edit {
  if (!text.slice(start, end).includes("\n")) {
    const column = start - lineStart(text, start);
    const insert = indent.slice(column % indent.length);
    return {
      from: start,
      to: end,
      insert,
      start: start + insert.length,
      end: start + insert.length,
    };
  }
  const { from, to, lines } = selectedLines(text, start, end);
  const insert = lines.map((line) => (line === "" ? line : indent + line)).join("\n");
  return { from, to, insert, start: from, end: from + insert.length };
}

/** Shift and Tab: the lines of the selection moved to the left. */
export function outdented({ text, start, end }: Editing): Edit {
  const { from, to, lines } = selectedLines(text, start, end);
  const insert = lines.map((line) => line.replace(/^ {1,2}/, "")).join("\n");
  if (lines.length > 1) return { from, to, insert, start: from, end: from + insert.length };
  const moved = to - from - insert.length;
  const keep = (at: number): number => Math.max(from, at - moved);
  return { from, to, insert, start: keep(start), end: keep(end) };
}

/** Enter: the next line begins below the present one, or two columns further after a colon. */
export function newLine({ text, start, end }: Editing): Edit {
  const before = text.slice(lineStart(text, start), start);
  const margin = /^ */.exec(before)?.[0] ?? "";
  const deeper = before.trimEnd().endsWith(":") ? indent : "";
  const insert = `\n${margin}${deeper}`;
  return { from: start, to: end, insert, start: start + insert.length, end: start + insert.length };
}

/** Where a line and column (both 1-based) are in the text; the text's end where it is shorter. */
export function offsetOf(text: string, line: number, column: number): number {
  let at = 0;
  for (let passed = 1; passed < line; passed += 1) {
    const end = text.indexOf("\n", at);
    if (end === -1) return text.length;
    at = end + 1;
  }
  const end = text.indexOf("\n", at);
  return Math.min(at + column - 1, end === -1 ? text.length : end);
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

function selectedLines(text: string, start: number, end: number) {
  const from = lineStart(text, start);
  // A selection that ends at a line's begin does not reach into that line.
  const last = end > start && text[end - 1] === "\n" ? end - 1 : end;
  const found = text.indexOf("\n", last);
  const to = found === -1 ? text.length : found;
  return { from, to, lines: text.slice(from, to).split("\n") };
}
