import { expect, test } from "vitest";
import { Output } from "../../../cli/src/output.ts";
import { formatDuration, pairs, shellWord, table } from "../../../cli/src/text.ts";

test("durations read as people say them", () => {
  expect([0, 999, 1000, 1234, 59_949, 59_950, 125_000].map(formatDuration)).toEqual([
    ...["0 ms", "999 ms", "1.0 s", "1.2 s", "59.9 s", "1 min 0 s", "2 min 5 s"],
  ]);
});

test("JSON for a program cannot steer the terminal that it is shown on, and says the same", () => {
  const hostile = { message: "a\u009B31mb\u0085\u007F\u202Etxt.exe\u2066 \u001B[2J Grüße 👋" };
  let written = "";
  const stream = { write: (text: string) => (written += text) };
  new Output(stream, stream).json(hostile);
  expect(written).not.toMatch(/[^\P{Cc}\n]|[\u202A-\u202E\u2066-\u2069]/u);
  expect(written).toContain("Grüße 👋");
  expect(JSON.parse(written)).toEqual(hostile);
});

test("columns are aligned without blanks at the end", () => {
  expect(
    table(
      ["name", "state"],
      [
        ["govapp", "running"],
        ["a\u001B[2J", ""],
      ],
    ),
  ).toEqual([...["NAME    STATE", "govapp  running", "a"]]);
  expect(
    pairs([
      ["web", "http://x"],
      ["error", null],
      ["ssh", "y"],
    ]),
  ).toEqual([...["  web  http://x", "  ssh  y"]]);
});

test("a command that is shown can be copied", () => {
  expect(shellWord("govapp-main-abc@localhost")).toBe("govapp-main-abc@localhost");
  expect(shellWord("a; rm -rf 'x'")).toBe(`'a; rm -rf '\\''x'\\'''`);
});
