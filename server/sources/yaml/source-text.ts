import type { Diagnostic } from "../../protocol/errors.ts";

/** Half-open range of UTF-16 offsets. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

export interface Finding {
  readonly severity: "error" | "warning";
  /** Stable and kebab-case. */
  readonly code: string;
  /** A sentence that says what to do. */
  readonly message: string;
}

/** A minified file would fill a screen with one line, and a report with copies of it. */
const maxExcerptChars = 1000;

/** A person mends a few at a time; a hostile file could have a million. */
const maxDiagnostics = 100;

/** Mistakes whose sentences have words of the file in them. */
const quoting: readonly string[] = ["yaml-syntax", "unknown-alias"];
const hiddenMistake = "This is not as YAML wants it (the line is not shown: it is of a secret).";

/** The text of one file, with its lines; it collects what is wrong in it. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  readonly #lineStarts: number[] = [0];
  readonly #diagnostics: Diagnostic[] = [];
  /** A part that is read twice (by an alias, a merge key) has its mistake once. */
  readonly #reported = new Set<string>();
  /** Lines, both ends included. */
  readonly #hidden: { readonly from: number; readonly to: number }[] = [];
  #errors = 0;

  constructor(text: string, file: string) {
    // A byte order mark is no character of the file: editors do not count it.
    this.text = text.startsWith("\uFEFF") ? text.slice(1) : text;
    this.file = file;
    for (let at = this.text.indexOf("\n"); at !== -1; at = this.text.indexOf("\n", at + 1)) {
      this.#lineStarts.push(at + 1);
    }
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  get errorCount(): number {
    return this.#errors;
  }

  /** From here on, no diagnostic shows the lines that stand there (a secret's data). */
  hide(range: TextRange): void {
    const [from, to] = [this.place(range.start).line, this.place(range.end).line];
    this.#hidden.push({ from, to });
  }

  /** The line and column of an offset; one past the end counts as the end of the last line. */
  place(offset: number): { file: string; line: number; column: number } {
    const within = Math.max(0, Math.min(offset, this.#lastOffset()));
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= within) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: within - (this.#lineStarts[low] ?? 0) + 1 };
  }

  report(range: TextRange, finding: Finding): void {
    if (finding.severity === "error") this.#errors += 1;
    if (this.#diagnostics.length >= maxDiagnostics) return;
    const place = this.place(range.start);
    const same = `${place.line}:${place.column} ${finding.code} ${finding.message}`;
    if (this.#reported.has(same)) return;
    this.#reported.add(same);
    const line = this.#line(place.line);
    const room = line.length - place.column + 1;
    const length = Math.max(1, Math.min(range.end - range.start, room));
    const hidden = this.#hidden.some(({ from, to }) => place.line >= from && place.line <= to);
    const shown = line.length <= maxExcerptChars && !hidden;
    const excerpt = shown ? { excerpt: printable(line) } : {};
    const said = hidden && quoting.includes(finding.code) ? { message: hiddenMistake } : {};
    this.#diagnostics.push({ ...place, length, ...finding, ...said, ...excerpt });
  }

  /** In the order of the file. */
  diagnostics(): Diagnostic[] {
    return this.#diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  /** Before the line breaks that end the file: an editor can go there. */
  #lastOffset(): number {
    let end = this.text.length;
    while (end > 0 && (this.text[end - 1] === "\n" || this.text[end - 1] === "\r")) end -= 1;
    return end;
  }

  #line(number: number): string {
    const start = this.#lineStarts[number - 1] ?? 0;
    const next = this.#lineStarts[number];
    const line = this.text.slice(start, next === undefined ? undefined : next - 1);
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }
}

/** Control characters could move a terminal's cursor; the replacement keeps the columns. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Surrogate}\u2028\u2029]/gu, (found) =>
    found === "\t" ? "\t" : "\uFFFD",
  );
}

/** What another program says of a file, as a part of a sentence: printable, in one line. */
export function oneLine(text: string): string {
  const maxChars = 200;
  const short = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  return printable(short.replaceAll(/\s+/g, " "));
}

/** A value of the file in a sentence: quoted, printable, and not longer than a line. */
export function quote(value: string): string {
  const maxChars = 60;
  if (value.length <= maxChars && /^[ -~]*$/.test(value)) return `"${value}"`;
  const short = value.length > maxChars ? `${value.slice(0, maxChars)}…` : value;
  return `"${printable(short.replaceAll(/[\n\r\t]/g, " "))}"`;
}
