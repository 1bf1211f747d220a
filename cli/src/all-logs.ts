import { clean, escapeControls } from "../../server/protocol/text.ts";
import type { Api } from "./api.ts";
import { paint, type Colour } from "./columns.ts";
import { Lines, missing, readLog, shownLine, streams, type Stream } from "./log-lines.ts";
import { hasText, type LogShape } from "./service-log.ts";
import type { ServiceLogsUpdate } from "./wire.ts";

export interface AllLogsWish {
  readonly workspace: string;
  /** The names of the workspace's services, for a column as wide as the longest. */
  readonly services: readonly string[];
  readonly follow: boolean;
  /** Of each service only the last so many lines; null: all. */
  readonly tail: number | null;
}

/** Neighbours differ; red is kept for what is wrong. */
const nameColours: readonly Colour[] = ["cyan", "yellow", "green", "magenta", "blue"];

/**
 * Prints the logs of all services, each line with its service's name; as they come with `follow`,
 * where a service that starts again goes on. With `json` an object a line: nothing is gathered here.
 */
export function printAllLogs(api: Api, wish: AllLogsWish, shape: LogShape): Promise<void> {
  const { workspace, follow, tail } = wish;
  const printer = new AllPrinter(wish.services, shape);
  return readLog<ServiceLogsUpdate>(shape.output, {
    subscribe: (lastEventId, listener) =>
      api.services.logs.subscribe({ workspace, follow, tail, lastEventId }, listener),
    print: (update) => printer.print(update),
  });
}

interface Rests {
  readonly stdout: Lines;
  readonly stderr: Lines;
}

class AllPrinter {
  readonly #shape: LogShape;
  readonly #services: readonly string[];
  readonly #width: number;
  readonly #rests = new Map<string, Rests>();

  constructor(services: readonly string[], shape: LogShape) {
    this.#shape = shape;
    this.#services = services;
    this.#width = Math.max(0, ...services.map((name) => clean(name).length));
  }

  print(update: ServiceLogsUpdate): "more" | "end" {
    switch (update.kind) {
      case "output": {
        const found = update.pieces.flatMap(({ service, at, stream, text }) => {
          const lines = this.#of(service)[stream].push(text);
          return lines.map((line) => ({ service, at, stream, text: line }));
        });
        this.#show(found);
        return "more";
      }
      case "skipped":
        this.#shape.output.note(`${update.service}: ${missing(update.bytes)}`);
        return "more";
      case "ended":
        this.#end(update.service);
        return "more";
      case "end":
        for (const service of this.#rests.keys()) this.#end(service);
        return "end";
    }
  }

  #of(service: string): Rests {
    const known = this.#rests.get(service);
    if (known !== undefined) return known;
    const made = { stdout: new Lines(), stderr: new Lines() };
    this.#rests.set(service, made);
    return made;
  }

  /** What has no end of line is a line now. */
  #end(service: string): void {
    const rests = this.#of(service);
    this.#show(
      streams.flatMap((stream) =>
        rests[stream].end().map((text) => ({ service, at: null, stream, text })),
      ),
    );
  }

  #show(lines: readonly { service: string; at: string | null; stream: Stream; text: string }[]) {
    const { json, output, grep } = this.#shape;
    const wanted = lines.filter(({ text }) => hasText(text, grep));
    const shown = json
      ? wanted.map((line) => escapeControls(JSON.stringify(line)))
      : wanted.map(({ service, text }) => `${this.#name(service)} ${shownLine(text)}`.trimEnd());
    output.lines(shown);
  }

  #name(service: string): string {
    const at = Math.max(0, this.#services.indexOf(service));
    const colour = nameColours[at % nameColours.length] ?? null;
    const name = `${clean(service).padEnd(this.#width)} |`;
    return paint(name, colour, this.#shape.output);
  }
}
