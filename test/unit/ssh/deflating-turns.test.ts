import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { DeflatingTurns } from "../../../server/ssh/deflating-turns.ts";

/** Has so many KiB to deflate, and asks for a turn until they are. */
class Output {
  readonly #turns: DeflatingTurns;
  #kibibytes: number;

  constructor(turns: DeflatingTurns, kibibytes: number) {
    this.#turns = turns;
    this.#kibibytes = kibibytes;
    this.flush();
  }

  get kibibytes(): number {
    return this.#kibibytes;
  }

  flush(): void {
    const kibibytes = Math.min(this.#kibibytes, this.#turns.roomBytes / 1024);
    if (kibibytes > 0) this.#turns.use(kibibytes * 1024);
    this.#kibibytes -= kibibytes;
    if (this.#kibibytes > 0) this.#turns.wait(this);
  }
}

async function leftAfterTurns(outputs: readonly Output[], turns: number): Promise<number[][]> {
  const left = [outputs.map(({ kibibytes }) => kibibytes)];
  for (let at = 0; at < turns; at += 1) {
    await turn();
    left.push(outputs.map(({ kibibytes }) => kibibytes));
  }
  return left;
}

test("a turn deflates 32 KiB, and the next one goes on", async () => {
  const turns = new DeflatingTurns();
  const outputs = [new Output(turns, 100)];
  expect(await leftAfterTurns(outputs, 4)).toEqual([[68], [36], [4], [0], [0]]);
});

test("those who wait have it by turns, whoever has more", async () => {
  const turns = new DeflatingTurns();
  const outputs = [new Output(turns, 128), new Output(turns, 64), new Output(turns, 10)];
  expect(await leftAfterTurns(outputs, 5)).toEqual([
    [96, 64, 10],
    [64, 64, 10],
    [64, 32, 10],
    [42, 32, 0],
    [42, 0, 0],
    [10, 0, 0],
  ]);
});
