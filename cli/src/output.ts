import { clean, escapeControls } from "../../server/protocol/text.ts";
import type { Failure } from "./failure.ts";
import { unsavedLines } from "./views.ts";

export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Bytes that nobody has taken yet. */
  readonly writableLength?: number;
  once?(event: "drain", listener: () => void): unknown;
  write(text: string): unknown;
}

/** Results go to standard output, all else to standard error: a pipe gets the result alone. */
export class Output {
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  /** A line that is redrawn stands on the terminal. */
  #status = false;

  constructor(stdout: OutputStream, stderr: OutputStream) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** True where progress can be redrawn in place. */
  get inPlace(): boolean {
    return this.#stderr.isTTY === true;
  }

  /** Columns of the terminal that standard output is; null for a pipe or a file. */
  get width(): number | null {
    return this.#stdout.isTTY === true ? (this.#stdout.columns ?? 80) : null;
  }

  /** True where results may be coloured (https://no-color.org). */
  get coloured(): boolean {
    return (
      this.#stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb"
    );
  }

  lines(lines: readonly string[]): void {
    this.clearStatus();
    if (lines.length > 0) this.#stdout.write(`${lines.join("\n")}\n`);
  }

  isTerminal(stream: "stdout" | "stderr"): boolean {
    return (stream === "stdout" ? this.#stdout : this.#stderr).isTTY === true;
  }

  /** As it is: what a program printed, for another program. */
  raw(stream: "stdout" | "stderr", text: string): void {
    this.clearStatus();
    (stream === "stdout" ? this.#stdout : this.#stderr).write(text);
  }

  /** Bytes that the reader of standard output has not taken yet. */
  get backlogBytes(): number {
    return this.#stdout.writableLength ?? 0;
  }

  /** Resolves when the reader of standard output, who was behind, has taken all. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#stdout.once?.("drain", resolve));
  }

  /** What was found in files, with their lines: tabs stay, for the caret below stands by them. */
  found(lines: readonly string[]): void {
    this.lines(lines.map(cleanAligned));
  }

  json(value: unknown): void {
    this.clearStatus();
    this.#stdout.write(`${escapeControls(JSON.stringify(value, null, 2))}\n`);
  }

  note(line: string): void {
    this.clearStatus();
    this.#stderr.write(`${clean(line)}\n`);
  }

  /** Shows one line in place of the last status; on a pipe, nothing. */
  status(line: string): void {
    if (!this.inPlace) return;
    const width = Math.max(20, (this.#stderr.columns ?? 80) - 1);
    this.#stderr.write(`\r\u001B[K${clean(line).slice(0, width)}`);
    this.#status = true;
  }

  clearStatus(): void {
    if (this.#status) this.#stderr.write("\r\u001B[K");
    this.#status = false;
  }

  /** For people on standard error; with `json`, for programs on standard output. */
  async failure(failure: Failure, json: boolean): Promise<void> {
    const { code, message, diagnostics, unsavedWork } = failure;
    if (json) {
      const places = diagnostics.map(({ file, line, column, code, message }) => {
        return { file, line, column, code, message };
      });
      this.json({
        error: { code, message, diagnostics: places },
        ...(unsavedWork === null ? {} : { unsavedWork }),
      });
      return;
    }
    this.note(`loop: ${message}`);
    if (diagnostics.length > 0) {
      const { formatDiagnostic } = await import("../../server/protocol/errors.ts");
      for (const diagnostic of diagnostics) {
        for (const line of formatDiagnostic(diagnostic).split("\n")) this.#noteAligned(line);
      }
    }
    if (unsavedWork !== null) {
      for (const line of unsavedLines(unsavedWork)) this.note(line);
    }
  }

  /** Keeps tabs: the caret below a line stands under the right character only with them. */
  #noteAligned(line: string): void {
    this.#stderr.write(`${cleanAligned(line)}\n`);
  }
}

function cleanAligned(line: string): string {
  return line.split("\t").map(clean).join("\t");
}
