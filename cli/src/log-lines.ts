import { clean } from "../../server/protocol/text.ts";
import { Failure } from "./failure.ts";
import type { Output } from "./output.ts";

export type Stream = "stdout" | "stderr";
export const streams: readonly Stream[] = ["stdout", "stderr"];

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

/** @param bytes null: nobody counted them. */
export function missing(bytes: number | null): string {
  const what = bytes === null ? "some bytes are" : bytes === 1 ? "1 byte is" : `${bytes} bytes are`;
  return `loop: ${what} missing here: they were not kept long enough.`;
}

/** A restart of the control plane takes a few seconds; after this it is gone. */
const reconnectWithinMs = 30_000;

interface Unsubscribable {
  unsubscribe(): void;
}

/** What a subscription tells. */
export interface Listener<Update> {
  readonly onData: (event: { id: string; data: Update }) => void;
  readonly onError: (error: unknown) => void;
  readonly onComplete: () => void;
  readonly onConnectionStateChange: (to: { readonly state: string }) => void;
}

/**
 * Reads a subscription of a log to its end. While the reader of the output is behind, it is left, and
 * taken up again where it was.
 *
 * @param read.print prints an update, and says whether it was the last.
 */
export function readLog<Update>(
  output: Output,
  read: {
    readonly subscribe: (lastEventId: string | null, listener: Listener<Update>) => Unsubscribable;
    readonly print: (update: Update) => "more" | "end";
  },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const goOn = (lastEventId: string | null): void => {
      let left = false;
      let lost: NodeJS.Timeout | undefined;
      const leave = (): void => {
        // First this: unsubscribing completes the subscription, which is a failure otherwise.
        left = true;
        clearTimeout(lost);
        subscription.unsubscribe();
      };
      const fail = (error: unknown): void => {
        if (left) return;
        leave();
        reject(error);
      };
      const onData = (id: string, update: Update): void => {
        if (left) return;
        if (read.print(update) === "end") {
          leave();
          resolve();
        } else if (output.backlogBytes > maxBacklogBytes) {
          // A stream of events cannot wait; it can be taken up again where it was left.
          leave();
          void output.drained().then(() => goOn(id));
        }
      };
      const subscription = read.subscribe(lastEventId, {
        onData: ({ id, data }) => onData(id, data),
        onError: fail,
        onComplete: () =>
          fail(new Failure("control-plane-unreachable", "The control plane ended the connection.")),
        onConnectionStateChange: ({ state }) => {
          if (left || state !== "connecting") {
            clearTimeout(lost);
            lost = undefined;
            return;
          }
          const sentence = "The control plane went away, and did not come back.";
          // Each try to connect says so: the time counts from the first.
          lost ??= setTimeout(
            () => fail(new Failure("control-plane-unreachable", sentence)),
            reconnectWithinMs,
          );
        },
      });
    };
    goOn(null);
  });
}
