import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearest } from "../../../server/util/nearest.ts";

test("a slip is a character more, less, or another, or two neighbours exchanged", () => {
  const slips: [string, string, number | null][] = [
    ["main", "main", 0],
    ["main", "mains", 1],
    ["main", "man", 1],
    ["main", "mein", 1],
    ["main", "mian", 1],
    ["ab", "ba", 1],
    ["", "ab", 2],
    ["kitten", "sitting", 3],
    ["main", "zzzz", null],
    ["main", "maintenance", null],
  ];
  for (const [a, b, wanted] of slips) expect([a, b, editDistance(a, b, 3)]).toEqual([a, b, wanted]);
});

test("a limit that is reached changes no distance that is within it", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(word, word, fc.nat(8), (a, b, most) => {
      const full = editDistance(a, b, 8);
      expect(full).toBe(editDistance(b, a, 8));
      expect(editDistance(a, b, most)).toBe(full !== null && full <= most ? full : null);
    }),
  );
});

test("the nearest names come first, three at most, of the first so many", () => {
  const distanceFrom = (wanted: string) => (name: string) => editDistance(wanted, name, 2);
  const names = ["mxxn", "mainly", "mein", "main", "man", "far-away"];
  expect(nearest("main", names, { distanceFrom, compared: 10 })).toEqual(["main", "man", "mein"]);
  expect(nearest("main", names, { distanceFrom, compared: 2 })).toEqual(["mainly", "mxxn"]);
  expect(nearest("zzzzzz", names, { distanceFrom, compared: 10 })).toEqual([]);
});
