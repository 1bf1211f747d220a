import { notPlain } from "./not-plain.ts";
import type { TextRange } from "./source-text.ts";

/** A text, or a part of it, line by line. */
export class Lines {
  readonly #text: string;
  /** Where the part ends. */
  readonly #limit: number;
  /** Of the current line. */
  start: number;
  end: number;
  /** Blanks at its beginning. */
  indent = 0;
  /** Where the line before ended. */
  before = 0;

  constructor(text: string, part: TextRange) {
    this.#text = text;
    this.#limit = part.end;
    this.start = part.start;
    this.end = this.#lineEnd(this.start);
    this.#measure();
  }

  get ended(): boolean {
    return this.start > this.#limit;
  }

  next(): void {
    this.before = this.end;
    this.start = this.end + 1;
    this.end = this.#lineEnd(this.start);
    this.#measure();
  }

  /** Goes on to a line that has something in it beside a comment. */
  skipEmpty(): void {
    while (!this.ended && this.#isEmpty()) this.next();
    // Between documents, and before the only one: the full parser knows what holds.
    if (
      !this.ended &&
      this.indent === 0 &&
      /^(?:---|\.\.\.|%)/.test(this.#text.slice(this.start, this.start + 3))
    ) {
      throw notPlain;
    }
  }

  /**
   * The lines of a literal text (`|`) that belongs to a key or item at `column`, as its header's
   * chomping has it.
   */
  literal(column: number, header: "|" | "|-" | "|+"): string {
    const lines: string[] = [];
    let width = -1;
    let filled = 0;
    for (; !this.ended; this.next()) {
      const blank = this.start + this.indent === this.end;
      if (blank && width === -1) {
        // Blanks in lines before the first text could say something of its width.
        if (this.indent > 0) throw notPlain;
        lines.push("");
        continue;
      }
      if (blank) {
        lines.push(this.#text.slice(Math.min(this.start + width, this.end), this.end));
        if (this.indent > width) filled = lines.length;
        continue;
      }
      if (width === -1) width = this.indent;
      if (width <= column) throw notPlain;
      if (this.indent < width) {
        if (this.indent > column) throw notPlain;
        break;
      }
      lines.push(this.#text.slice(this.start + width, this.end));
      filled = lines.length;
    }
    if (filled === 0 || header === "|+") throw notPlain;
    const value = lines.slice(0, filled).join("\n");
    return header === "|-" ? value : `${value}\n`;
  }

  #isEmpty(): boolean {
    const at = this.start + this.indent;
    return at === this.end || this.#text[at] === "#";
  }

  #lineEnd(start: number): number {
    const end = this.#text.indexOf("\n", start);
    return end === -1 ? this.#limit : Math.min(end, this.#limit);
  }

  #measure(): void {
    let at = this.start;
    while (this.#text[at] === " ") at += 1;
    this.indent = at - this.start;
  }
}
