import { expect, test } from "vitest";
import { columns, shorten, stateColour, wrap } from "../../../cli/src/columns.ts";

const head = ["name", "state", "repository"];
const rows = [
  ["govapp-main-abc", "running", "https://github.com/acme/a-long-name-of-a-repository.git"],
  ["b", "failed", "file:///b"],
];

test("a terminal gets a table that fits it, and a pipe every cell whole", () => {
  const look = { width: 60, coloured: false };
  const lines = columns(head, rows, { look });
  expect(Math.max(...lines.map((line) => line.length))).toBe(60);
  expect(lines[1]).toMatch(/^govapp-main-abc {2}running {2}https:\/\/.*….*\.git$/);
  expect(columns(head, rows, { look: { width: null, coloured: false } })[1]).toContain(
    "https://github.com/acme/a-long-name-of-a-repository.git",
  );
});

test("a terminal that is too narrow gets what can be read at all", () => {
  const lines = columns(head, rows, { look: { width: 10, coloured: false } });
  expect(lines[1]).toBe("gova…abc  running  https….git");
  const whole = columns(head, rows, { look: { width: 10, coloured: false }, whole: ["name"] });
  expect(whole[1]).toBe("govapp-main-abc  running  https….git");
});

test("colour is on the state alone, and moves no column", () => {
  const options = { colourOf: { column: "state", of: stateColour } };
  const plain = columns(head, rows, { ...options, look: { width: null, coloured: false } });
  const coloured = columns(head, rows, { ...options, look: { width: null, coloured: true } });
  expect(coloured[1]).toContain("\u001B[32mrunning\u001B[0m");
  expect(coloured[2]).toContain("\u001B[31mfailed\u001B[0m");
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  expect(coloured.map((line) => line.replaceAll(/\u001B\[\d+m/g, ""))).toEqual(plain);
});

test("control characters of a cell have no width and no effect", () => {
  const evil = [["a\u001B[2Jb", "running", "x"]];
  const look = { width: 80, coloured: true };
  const lines = columns(head, evil, { look, colourOf: { column: "state", of: stateColour } });
  expect(lines[1]).toBe("ab    \u001B[32mrunning\u001B[0m  x");
});

test("what is shortened keeps its beginning and its end", () => {
  expect(shorten("abcdefghij", 10)).toBe("abcdefghij");
  expect(shorten("abcdefghij", 7)).toBe("abc…hij");
  expect(shorten("abcdefghij", 2)).toBe("a…");
});

test("a sentence is broken at its blanks, and for a pipe not at all", () => {
  expect(wrap("one two three", 9, "  ")).toEqual(["  one two", "  three"]);
  expect(wrap("one two three", null, "  ")).toEqual(["  one two three"]);
  expect(wrap("a-very-long-word x", 5, "")).toEqual(["a-very-long-word", "x"]);
});
