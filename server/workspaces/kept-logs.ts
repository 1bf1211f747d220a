import type { LogUpdate } from "../protocol/workspace.ts";
import type { LogPart } from "./service-logs.ts";

type Piece = Extract<LogUpdate, { kind: "output" }>["pieces"][number];

/** A piece of a service's log, and the place in that log behind it. */
export interface Printed extends Piece {
  readonly service: string;
  readonly place: string;
}

/** So many are given at once; more would keep what waits behind them waiting. */
const maxPieces = 500;
const maxLength = 256 * 1024;

/**
 * Merges logs that end into one in the order of time. Of each log one part is held, so that they may
 * be as long as they like. What has no time comes first.
 */
export async function* keptLogs(
  logs: readonly { readonly name: string; readonly parts: AsyncIterable<LogPart> }[],
): AsyncGenerator<Printed[]> {
  const cursors = logs.map(({ name, parts }) => new Cursor(name, parts));
  try {
    await Promise.all(cursors.map((cursor) => cursor.fill()));
    let batch: Printed[] = [];
    let length = 0;
    for (;;) {
      const [first, second] = firstTwo(cursors);
      if (first === null) break;
      const until = second?.head?.at ?? null;
      for (let head = first.head; head !== null; head = first.head) {
        if (second !== null && (head.at ?? "") > (until ?? "")) break;
        batch.push(head);
        length += head.text.length;
        first.take();
        if (batch.length >= maxPieces || length >= maxLength) {
          yield batch;
          batch = [];
          length = 0;
        }
      }
      if (first.head === null) await first.fill();
    }
    if (batch.length > 0) yield batch;
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

/** The logs whose next pieces are the oldest. */
function firstTwo(cursors: readonly Cursor[]): [Cursor | null, Cursor | null] {
  let first: Cursor | null = null;
  let second: Cursor | null = null;
  for (const cursor of cursors) {
    if (cursor.head === null) continue;
    const at = cursor.head.at ?? "";
    if (first === null || at < (first.head?.at ?? "")) [first, second] = [cursor, first];
    else if (second === null || at < (second.head?.at ?? "")) second = cursor;
  }
  return [first, second];
}

class Cursor {
  readonly #service: string;
  readonly #parts: AsyncIterator<LogPart>;
  #pieces: readonly Printed[] = [];
  #next = 0;

  constructor(service: string, parts: AsyncIterable<LogPart>) {
    this.#service = service;
    this.#parts = parts[Symbol.asyncIterator]();
  }

  /** The next piece; null: `fill` may bring more. */
  get head(): Printed | null {
    return this.#pieces[this.#next] ?? null;
  }

  take(): void {
    this.#next += 1;
  }

  /** After it, `head` is null only at the end of the log. */
  async fill(): Promise<void> {
    for (;;) {
      const { value, done } = await this.#parts.next();
      if (done === true) return;
      const { place, update } = value;
      if (update.kind !== "output" || update.pieces.length === 0) continue;
      const last = update.pieces.length - 1;
      this.#pieces = update.pieces.map((piece, index) => ({
        ...piece,
        service: this.#service,
        // Within a part, the time is the place (see LogEntry).
        place: index === last ? place : (piece.at ?? place),
      }));
      this.#next = 0;
      return;
    }
  }

  async close(): Promise<void> {
    await this.#parts.return?.();
  }
}
