import type { ServiceLogsUpdate } from "../../../server/protocol/service-logs.ts";
import { plainText } from "./plain-text.ts";

/** A line as the page shows it: text without anything in it that would steer or hide. */
export interface LogLine {
  /** In the order of arrival. */
  readonly id: number;
  readonly service: string;
  /** Null where nobody noted the time. */
  readonly at: string | null;
  /** `note`: a word of ours on what is missing. */
  readonly stream: "stdout" | "stderr" | "note";
  readonly text: string;
}

/** All that is kept, of all services together. */
export const maxLines = 5000;
/** With many services, each still has some. */
const minLinesEach = 200;
/** What is longer is cut: some programs print whole documents in a line. */
export const maxLineLength = 2000;
const tabWidth = 4;

/**
 * The last lines of each service. One that prints much pushes only its own older lines out, and what
 * is kept is bounded in lines and in length, whatever comes.
 */
export class LogBuffer {
  /** So many lines are kept of each service. */
  readonly linesEach: number;
  /** Grows with every line that came. */
  total = 0;
  readonly #lines = new Map<string, LogLine[]>();
  readonly #rests = new Map<string, string>();
  #dropped = 0;

  constructor(services: number) {
    this.linesEach = Math.max(minLinesEach, Math.floor(maxLines / Math.max(1, services)));
  }

  push(update: ServiceLogsUpdate): void {
    switch (update.kind) {
      case "output":
        for (const piece of update.pieces) this.#print(piece);
        break;
      case "skipped": {
        const { service, bytes } = update;
        const text =
          bytes === null
            ? `${service} prints more than is shown here: some lines are left out.`
            : `${bytes} bytes of ${service} were not kept.`;
        this.#add({ service, at: null, stream: "note", text });
        break;
      }
      case "ended":
        for (const stream of ["stdout", "stderr"] as const) {
          const rest = this.#takeRest(update.service, stream);
          if (rest !== "") this.#line({ service: update.service, at: null, stream, text: rest });
        }
        break;
      case "end":
        break;
      default:
        update satisfies never;
    }
  }

  clear(): void {
    this.#lines.clear();
    this.#rests.clear();
    this.#dropped = 0;
  }

  /** Lines that were pushed out since the beginning. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What is kept, in the order of arrival. */
  lines(): readonly LogLine[] {
    const all = [...this.#lines.values()];
    if (all.length === 1) return all[0]?.slice(-this.linesEach) ?? [];
    return all.flatMap((lines) => lines.slice(-this.linesEach)).sort((a, b) => a.id - b.id);
  }

  #print(piece: { service: string; at: string | null; stream: "stdout" | "stderr"; text: string }) {
    const { service, at, stream } = piece;
    const lines = (this.#takeRest(service, stream) + piece.text).split("\n");
    // Of a line without an end the beginning is kept.
    const rest = lines.pop() ?? "";
    if (rest !== "") this.#rests.set(`${service} ${stream}`, rest.slice(0, 2 * maxLineLength));
    // What would be pushed out at once is not looked at.
    const passed = Math.max(0, lines.length - this.linesEach);
    this.#dropped += passed;
    this.total += passed;
    for (const text of lines.slice(passed)) this.#line({ service, at, stream, text });
  }

  #takeRest(service: string, stream: "stdout" | "stderr"): string {
    const key = `${service} ${stream}`;
    const rest = this.#rests.get(key) ?? "";
    this.#rests.delete(key);
    return rest;
  }

  #line(line: Omit<LogLine, "id">): void {
    this.#add({ ...line, text: shownText(line.text) });
  }

  #add(line: Omit<LogLine, "id">): void {
    const lines = this.#lines.get(line.service) ?? [];
    this.#lines.set(line.service, lines);
    this.total += 1;
    lines.push({ ...line, id: this.total });
    if (lines.length > this.linesEach) this.#dropped += 1;
    // Not one by one: moving all the others for each new line would be most of the work.
    if (lines.length > 2 * this.linesEach) lines.splice(0, lines.length - this.linesEach);
  }
}

/** As a terminal would show it in the end, in one line. */
export function shownText(text: string): string {
  const printed = text.replace(/\r+$/, "");
  // A carriage return begins the line again: a progress bar has many.
  const last = printed.slice(printed.lastIndexOf("\r") + 1);
  const plain = plainText(copied(last, 2 * maxLineLength)).replaceAll("\t", " ".repeat(tabWidth));
  if (plain.length <= maxLineLength) return plain;
  return `${plain.slice(0, maxLineLength)} … (cut)`;
}

/** Part of a text in memory of its own: otherwise the part would keep all of a long line alive. */
function copied(text: string, length: number): string {
  return text.length <= length ? text : Array.from(text.slice(0, length)).join("");
}
