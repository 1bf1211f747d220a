import type { Output } from "./output.ts";
import { formatDuration } from "./text.ts";

/** Quick enough for the eye, slow enough for a line over ssh. */
const redrawMs = 100;

/** Shows a line with the time that has passed, in place, until it is disposed. */
export class Progress implements Disposable {
  readonly #output: Output;
  readonly #began: number;
  readonly #redraw: NodeJS.Timeout | undefined;
  #phase: string;

  /** @param began `performance.now()` of the command's beginning. */
  constructor(output: Output, phase: string, began: number) {
    this.#output = output;
    this.#began = began;
    this.#phase = phase;
    this.#draw();
    this.#redraw = output.inPlace ? setInterval(() => this.#draw(), redrawMs) : undefined;
  }

  set phase(phase: string) {
    this.#phase = phase;
    this.#draw();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#redraw);
    this.#output.clearStatus();
  }

  #draw(): void {
    this.#output.status(`… ${this.#phase} (${formatDuration(performance.now() - this.#began)})`);
  }
}
