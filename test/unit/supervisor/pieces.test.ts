import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ReadPieces } from "../../../workspace-image/supervisor/pieces.ts";

const kib = 1024;

/** Reads from a source of bytes as a terminal is read: a few at a time, 0 when it has none. */
function readerOf(source: number[]): (into: Buffer, at: number) => number {
  return (into, at) => {
    const some = source.splice(0, 4096);
    into.set(some, at);
    return some.length;
  };
}

const none = (): number => 0;

describe("a piece that is read into", () => {
  test("is given when it is full, and what is left after a few turns", async () => {
    const given: Buffer[] = [];
    const pieces = new ReadPieces((piece) => given.push(Buffer.from(piece)) > 0);
    const source = Array.from({ length: 150 * kib }, (_, at) => at % 251);
    const expected = Buffer.from([7, ...source]);
    const read = readerOf(source);
    pieces.fill(Buffer.from([7]), 4096, read);
    expect(given).toHaveLength(1);
    expect(given[0]?.length).toBeGreaterThan(108 * kib);
    pieces.fill(Buffer.alloc(0), 4096, read);
    expect(pieces.waiting).toBe(true);
    for (let turns = 0; turns < 6; turns += 1) await turn();
    expect(pieces.waiting).toBe(false);
    expect(Buffer.concat(given).equals(expected)).toBe(true);
  });

  test("takes in what comes a little later, in order", async () => {
    const given: string[] = [];
    const pieces = new ReadPieces((piece) => given.push(piece.toString()) > 0);
    pieces.fill(Buffer.from("one "), 4096, none);
    await turn();
    pieces.fill(Buffer.from("two"), 4096, none);
    pieces.flush();
    pieces.flush();
    expect(given).toEqual(["one two"]);
  });

  test("never grows beyond its memory by what was read already", () => {
    const given: number[] = [];
    const pieces = new ReadPieces((piece) => given.push(piece.length) > 0);
    for (let at = 0; at < 40; at += 1) pieces.fill(Buffer.alloc(4096), 4096, none);
    pieces.flush();
    expect(given.reduce((sum, length) => sum + length)).toBe(40 * 4096);
    expect(Math.max(...given)).toBeLessThanOrEqual(112 * kib);
  });

  test("whose bytes somebody still needs is not written over; one that was taken is", () => {
    const held: Buffer[] = [];
    let taken = false;
    const pieces = new ReadPieces((piece) => {
      held.push(piece);
      return taken;
    });
    const write = (text: string): void => {
      pieces.fill(Buffer.from(text), 4096, none);
      pieces.flush();
    };
    write("first");
    taken = true;
    write("other");
    write("third");
    expect(held.map(String)).toEqual(["first", "third", "third"]);
    expect(held[1]?.buffer).toBe(held[2]?.buffer);
  });

  test("is one terminal's own while something in it waits", () => {
    const given: string[] = [];
    const [a, b] = ["a", "b"].map(
      (name) => new ReadPieces((piece) => given.push(`${name}:${piece.toString()}`) > 0),
    );
    a?.fill(Buffer.from("of a"), 4096, none);
    b?.fill(Buffer.from("of b"), 4096, none);
    a?.flush();
    b?.flush();
    expect(given).toEqual(["a:of a", "b:of b"]);
  });
});
