import { clean, escapeControls } from "../../server/protocol/text.ts";
import type { Api } from "./api.ts";
import { Failure } from "./failure.ts";
import type { Output } from "./output.ts";
import type { LogUpdate } from "./wire.ts";

export interface ServiceLogWish {
  readonly workspace: string;
  readonly service: string;
  readonly follow: boolean;
  /** Only the last so many lines; null: all. */
  readonly tail: number | null;
}

type Stream = "stdout" | "stderr";

/** What waits here for a reader who is behind; more waits in the engine's log. */
const maxBacklogBytes = 4 * 1024 * 1024;

/** A line that goes on for longer is shown in parts. */
const maxLineLength = 64 * 1024;

/** Cuts what a program printed into lines. */
export class Lines {
  #rest = "";

  /** The lines that are whole now. */
  push(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > maxLineLength) lines.push(...this.end());
    return lines;
  }

  /** The last one, which has no end. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }
}

/** As a terminal would show the line in the end, but with nothing in it that steers the terminal. */
export function shownLine(line: string): string {
  const printed = line.replace(/\r+$/, "");
  // A carriage return begins the line again: a progress bar has many.
  const last = printed.slice(printed.lastIndexOf("\r") + 1);
  return last.split("\t").map(clean).join("\t");
}

/**
 * Prints a service's log to its end: what it printed on standard error to ours. On a pipe it is as it
 * was printed; with `json` a list, or an object a line where it is followed.
 */
export function printServiceLog(
  api: Api,
  wish: ServiceLogWish,
  { json, output }: { json: boolean; output: Output },
): Promise<void> {
  const printer = json ? new JsonPrinter(output, wish.follow) : new TextPrinter(output);
  return new Promise((resolve, reject) => {
    const goOn = (lastEventId: string | null): void => {
      let left = false;
      const leave = (): void => {
        // First this: unsubscribing completes the subscription, which is a failure otherwise.
        left = true;
        subscription.unsubscribe();
      };
      const onData = (id: string, update: LogUpdate): void => {
        if (left) return;
        printer.print(update);
        if (update.kind === "end") {
          if (wish.follow && !json) output.note(`The log ends: ${wish.service} runs no more.`);
          leave();
          resolve();
        } else if (output.backlogBytes > maxBacklogBytes) {
          // A stream of events cannot wait; it can be taken up again where it was left.
          leave();
          void output.drained().then(() => goOn(id));
        }
      };
      const subscription = api.workspaces.log.subscribe(
        { ...wish, lastEventId },
        {
          onData: ({ id, data }) => onData(id, data),
          onError: reject,
          onComplete: () => {
            if (left) return;
            const sentence = "The control plane ended the connection.";
            reject(new Failure("control-plane-unreachable", sentence));
          },
        },
      );
    };
    goOn(null);
  });
}

class TextPrinter {
  readonly #output: Output;
  readonly #lines = { stdout: new Lines(), stderr: new Lines() };

  constructor(output: Output) {
    this.#output = output;
  }

  print(update: LogUpdate): void {
    switch (update.kind) {
      case "output":
        for (const { stream, text } of joined(update.pieces)) this.#text(stream, text);
        break;
      case "skipped":
        this.#output.note(missing(update.bytes));
        break;
      case "end":
        for (const stream of ["stdout", "stderr"] as const) {
          this.#show(stream, this.#lines[stream].end());
        }
        break;
    }
  }

  #text(stream: Stream, text: string): void {
    if (this.#output.isTerminal(stream)) this.#show(stream, this.#lines[stream].push(text));
    else this.#output.raw(stream, text);
  }

  #show(stream: Stream, lines: readonly string[]): void {
    if (lines.length > 0) this.#output.raw(stream, `${lines.map(shownLine).join("\n")}\n`);
  }
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
  readonly #output: Output;
  readonly #follow: boolean;
  readonly #lines = { stdout: new Lines(), stderr: new Lines() };
  readonly #all: JsonLine[] = [];

  constructor(output: Output, follow: boolean) {
    this.#output = output;
    this.#follow = follow;
  }

  print(update: LogUpdate): void {
    switch (update.kind) {
      case "output":
        for (const { at, stream, text } of update.pieces) {
          for (const line of this.#lines[stream].push(text)) this.#line({ at, stream, text: line });
        }
        break;
      case "skipped":
        this.#output.note(missing(update.bytes));
        break;
      case "end":
        for (const stream of ["stdout", "stderr"] as const) {
          for (const text of this.#lines[stream].end()) this.#line({ at: null, stream, text });
        }
        if (!this.#follow) this.#output.json(this.#all);
        break;
    }
  }

  #line(line: JsonLine): void {
    if (this.#follow) this.#output.lines([escapeControls(JSON.stringify(line))]);
    else this.#all.push(line);
  }
}

function missing(bytes: number): string {
  return `loop: ${bytes} bytes are missing here: they were not kept long enough.`;
}
