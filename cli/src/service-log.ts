import { escapeControls } from "../../server/protocol/text.ts";
import type { Api } from "./api.ts";
import { Lines, missing, readLog, shownLine, streams, type Stream } from "./log-lines.ts";
import type { Output } from "./output.ts";
import type { LogUpdate } from "./wire.ts";

export interface ServiceLogWish {
  readonly workspace: string;
  readonly service: string;
  readonly follow: boolean;
  /** Only the last so many lines; null: all. */
  readonly tail: number | null;
}

export interface LogShape {
  readonly json: boolean;
  readonly output: Output;
  /** Only lines with this text; null: all. */
  readonly grep: string | null;
}

/**
 * Prints a service's log to its end: what it printed on standard error to ours. On a pipe it is as it
 * was printed; with `json` a list, or an object a line where it is followed.
 */
export function printServiceLog(api: Api, wish: ServiceLogWish, shape: LogShape): Promise<void> {
  const { output } = shape;
  const printer = shape.json ? new JsonPrinter(shape, wish.follow) : new TextPrinter(shape);
  const print = (update: LogUpdate): "more" | "end" => {
    switch (update.kind) {
      case "output":
        printer.pieces(update.pieces);
        return "more";
      case "skipped":
        output.note(missing(update.bytes));
        return "more";
      case "end":
        printer.end();
        if (wish.follow && !shape.json) {
          output.note(`The log ends: ${wish.service} runs no more.`);
        }
        return "end";
    }
  };
  return readLog<LogUpdate>(output, {
    subscribe: (lastEventId, listener) =>
      api.workspaces.log.subscribe({ ...wish, lastEventId }, listener),
    print,
  });
}

type Pieces = Extract<LogUpdate, { kind: "output" }>["pieces"];

class TextPrinter {
  readonly #shape: LogShape;
  readonly #lines = { stdout: new Lines(), stderr: new Lines() };

  constructor(shape: LogShape) {
    this.#shape = shape;
  }

  pieces(pieces: Pieces): void {
    const { output, grep } = this.#shape;
    for (const { stream, text } of joined(pieces)) {
      if (output.isTerminal(stream) || grep !== null) {
        this.#show(stream, this.#lines[stream].push(text));
      } else output.raw(stream, text);
    }
  }

  end(): void {
    for (const stream of streams) this.#show(stream, this.#lines[stream].end());
  }

  #show(stream: Stream, lines: readonly string[]): void {
    const { output, grep } = this.#shape;
    const wanted = lines.filter((line) => hasText(line, grep));
    const shown = output.isTerminal(stream) ? wanted.map(shownLine) : wanted;
    if (shown.length > 0) output.raw(stream, `${shown.join("\n")}\n`);
  }
}

export function hasText(line: string, grep: string | null): boolean {
  return grep === null || shownLine(line).includes(grep);
}

/** Neighbours of one stream as one: a write for each line would be most of the work. */
function joined(pieces: readonly { stream: Stream; text: string }[]) {
  const runs: { stream: Stream; texts: string[] }[] = [];
  for (const { stream, text } of pieces) {
    const last = runs.at(-1);
    if (last?.stream === stream) last.texts.push(text);
    else runs.push({ stream, texts: [text] });
  }
  return runs.map(({ stream, texts }) => ({ stream, text: texts.join("") }));
}

interface JsonLine {
  readonly at: string | null;
  readonly stream: Stream;
  readonly text: string;
}

class JsonPrinter {
  readonly #shape: LogShape;
  readonly #follow: boolean;
  readonly #lines = { stdout: new Lines(), stderr: new Lines() };
  readonly #all: JsonLine[] = [];

  constructor(shape: LogShape, follow: boolean) {
    this.#shape = shape;
    this.#follow = follow;
  }

  pieces(pieces: Pieces): void {
    for (const { at, stream, text } of pieces) {
      for (const line of this.#lines[stream].push(text)) this.#line({ at, stream, text: line });
    }
  }

  end(): void {
    for (const stream of streams) {
      for (const text of this.#lines[stream].end()) this.#line({ at: null, stream, text });
    }
    if (!this.#follow) this.#shape.output.json(this.#all);
  }

  #line(line: JsonLine): void {
    const { output, grep } = this.#shape;
    if (!hasText(line.text, grep)) return;
    if (this.#follow) output.lines([escapeControls(JSON.stringify(line))]);
    else this.#all.push(line);
  }
}
