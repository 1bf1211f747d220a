import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Budget } from "../../../../server/sources/compose/budget.ts";
import { readEnvFile } from "../../../../server/sources/compose/env-file.ts";
import { SourceText } from "../../../../server/sources/yaml/source-text.ts";

function read(text: string, outside: Record<string, string> = {}, raw = false) {
  const source = new SourceText(text, "a.env");
  const origin = { source, folder: ".", budget: new Budget() };
  const entries = readEnvFile(origin, { outside: new Map(Object.entries(outside)), raw });
  return { entries, wrong: source.diagnostics() };
}

function values(text: string, outside: Record<string, string> = {}, raw = false) {
  const { entries, wrong } = read(text, outside, raw);
  expect(wrong).toEqual([]);
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

test.each([
  ["A=1\nB=2", { A: "1", B: "2" }],
  ["\n# no\n  # no\n A = 1 \n", { A: "1" }],
  ["export A=1\nexport  B=2", { A: "1", B: "2" }],
  ["A=x # no\nB=x#y\nC=#\nD=", { A: "x", B: "x#y", C: "", D: "" }],
  ["A='x $B # y'\nB=\"x # y\" # no", { A: "x $B # y", B: "x # y" }],
  ['A="one\ntwo"\nB=3', { A: "one\ntwo", B: "3" }],
  ["A='one\ntwo'\nB=3", { A: "one\ntwo", B: "3" }],
  ['A="x\\ny\\"z\\\\"', { A: 'x\ny"z\\' }],
  ["A='it\\'s'", { A: "it's" }],
  ['A="\\$B"', { A: "$B" }],
  ["A: 1", { A: "1" }],
  ["A=1\r\nB=2\r\n", { A: "1", B: "2" }],
  ["A.B=1\nC-D=2", { "A.B": "1", "C-D": "2" }],
  ["A=1\nA=2", { A: "2" }],
  ["A=one\nB=$A.${A}", { A: "one", B: "one.one" }],
  ["A=${X:-d}\nB=${A:+y}", { A: "d", B: "y" }],
  ["A=x=y", { A: "x=y" }],
])("%j", (text, wanted) => {
  expect(values(text)).toEqual(wanted);
});

test("what is set outside counts where it is asked for, and a name alone is passed on", () => {
  expect(values("A=1\nB=$A\nC", { A: "out", C: "c" })).toEqual({ A: "1", B: "out", C: "c" });
});

test("a name that nobody sets makes what is made of it unknown", () => {
  const { entries } = read("A\nB=$A\nC=x$NO\nD=${C:-d}");
  expect(entries.map(({ name, value, unset, variable }) => [name, value, unset, variable])).toEqual(
    [
      ["A", "", ["A"], "A"],
      ["B", "", ["A"], "A"],
      ["C", "x", ["NO"], null],
      ["D", "d", [], null],
    ],
  );
});

test("in the raw format quotes and variables are text", () => {
  expect(values("A=\"x\" # $B\nB='y'\n# no", { B: "out" }, true)).toEqual({
    A: '"x" # $B',
    B: "'y'",
  });
});

test("an entry has its line, behind a value of several lines too", () => {
  const { entries } = read('A="1\n2"\n\nexport B=2');
  expect(entries.map(({ where }) => where)).toEqual([
    { file: "a.env", line: 1, column: 1 },
    { file: "a.env", line: 4, column: 1 },
  ]);
});

test.each([
  ["A=1\nno line", "2:1 bad-env-file"],
  ["=1", "1:1 bad-env-file"],
  ['A=1\nB="open\nC=1', "2:3 bad-env-file"],
  ["A=${B", "1:3 bad-variable"],
  ["A=$B\nB=$C\nC=$A", "1:1 variable-cycle"],
])("%j is wrong at %s", (text, wanted) => {
  const [first] = read(text).wrong;
  expect(first && `${first.line}:${first.column} ${first.code}`).toBe(wanted);
});

test("each line of a cycle is a mistake; passing oneself on, or a default, is none", () => {
  expect(read("A=$B\nB=$A\nC=$A").wrong.map(({ line }) => line)).toEqual([1, 2]);
  expect(read("A=$A\nB=${B:-x}\nC=$D\nD=${C:-x}").wrong).toEqual([]);
  expect(read("A=$B\nB=$A", { B: "out" }).wrong).toEqual([]);
});

test("any text is read, and what is wrong has its line", () => {
  const piece = fc.constantFrom(
    "A",
    "B",
    "=",
    "$",
    "{",
    "}",
    '"',
    "'",
    "\\",
    "#",
    " ",
    "\n",
    "\r\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = pieces.join("");
      for (const raw of [true, false]) {
        const { wrong } = read(text, { A: "a" }, raw);
        const lines = text.split("\n").length;
        for (const { line } of wrong) expect(line).toBeLessThanOrEqual(lines);
      }
    }),
  );
});
