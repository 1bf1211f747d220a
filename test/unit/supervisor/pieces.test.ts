import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Pieces } from "../../../workspace-image/supervisor/pieces.ts";

const kib = 1024;

function collected(): { pieces: Pieces; given: Buffer[] } {
  const given: Buffer[] = [];
  return { pieces: new Pieces((chunks) => given.push(Buffer.concat(chunks))), given };
}

test("what comes within a few turns of the event loop is given as one piece, in order", async () => {
  const { pieces, given } = collected();
  pieces.add(Buffer.from("one "));
  await turn();
  pieces.add(Buffer.from("two "));
  await turn();
  pieces.add(Buffer.from("three"));
  expect(given).toEqual([]);
  for (let turns = 0; turns < 6; turns += 1) await turn();
  expect(given.map(String)).toEqual(["one two three"]);
  expect(pieces.waiting).toBe(false);
});

test("a full piece waits for nothing", () => {
  const { pieces, given } = collected();
  for (let at = 0; at < 4; at += 1) pieces.add(Buffer.alloc(56 * kib, at));
  expect(given.map(({ length }) => length)).toEqual([112 * kib, 112 * kib]);
  expect([...given].map((piece) => [piece[0], piece.at(-1)])).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test("a flush gives what is held at once, and nothing is given twice", async () => {
  const { pieces, given } = collected();
  pieces.add(Buffer.from("end"));
  pieces.flush();
  pieces.flush();
  for (let turns = 0; turns < 6; turns += 1) await turn();
  expect(given.map(String)).toEqual(["end"]);
});
