import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { SharedTurns } from "../../../server/ssh/shared-turns.ts";

/** Has so much to do, and asks for a turn until it is done. */
class Work {
  readonly #turns: SharedTurns;
  readonly #later: boolean;
  #bytes: number;

  /** @param later whether it is done a little later than its turn begins, as by a stream. */
  constructor(turns: SharedTurns, bytes: number, later: boolean) {
    this.#turns = turns;
    this.#bytes = bytes;
    this.#later = later;
    this.#do();
  }

  get bytes(): number {
    return this.#bytes;
  }

  readonly #goOn = (): void => {
    if (this.#later) process.nextTick(() => this.#do());
    else this.#do();
  };

  #do(): void {
    const bytes = Math.min(this.#bytes, this.#turns.roomBytes);
    this.#turns.use(bytes);
    this.#bytes -= bytes;
    if (this.#bytes > 0) this.#turns.wait(this.#goOn);
  }
}

async function leftAfterTurns(work: readonly Work[], turns: number): Promise<number[][]> {
  const left = [work.map(({ bytes }) => bytes)];
  for (let at = 0; at < turns; at += 1) {
    await turn();
    left.push(work.map(({ bytes }) => bytes));
  }
  return left;
}

test.each([false, true])(
  "a turn does so much, and the next one goes on (later: %s)",
  async (later) => {
    const work = [new Work(new SharedTurns(32), 100, later)];
    expect(await leftAfterTurns(work, 4)).toEqual([[68], [36], [4], [0], [0]]);
  },
);

test.each([false, true])(
  "those who wait have it by turns, whoever has more (later: %s)",
  async (later) => {
    const turns = new SharedTurns(32);
    const work = [
      new Work(turns, 128, later),
      new Work(turns, 64, later),
      new Work(turns, 10, later),
    ];
    expect(await leftAfterTurns(work, 6)).toEqual([
      [96, 64, 10],
      [64, 64, 10],
      [64, 32, 10],
      [64, 32, 0],
      [32, 32, 0],
      [32, 0, 0],
      [0, 0, 0],
    ]);
  },
);
