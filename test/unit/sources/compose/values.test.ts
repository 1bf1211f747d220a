import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { portRange, splitPort } from "../../../../server/sources/compose/port-text.ts";
import {
  bytes,
  cores,
  duration,
  mode,
  shellWords,
} from "../../../../server/sources/compose/values.ts";
import { isPath, splitVolume } from "../../../../server/sources/compose/volume-text.ts";

test.each([
  ["300M", 300 * 1024 ** 2],
  ["300m", 300 * 1024 ** 2],
  ["300mb", 300 * 1024 ** 2],
  ["300MiB", 300 * 1024 ** 2],
  ["1.5G", 1.5 * 1024 ** 3],
  ["64 k", 65_536],
  ["2t", 2 * 1024 ** 4],
  ["1000", 1000],
  ["10b", 10],
  ["0", 0],
  ["-1", null],
  ["1e3", null],
  ["1x", null],
  ["", null],
  ["99999p", null],
])("%s is %j bytes", (text, wanted) => {
  expect(bytes.parse(text)).toBe(wanted);
});

test.each([
  ["30s", 30],
  ["1m30s", 90],
  ["1.5s", 1.5],
  ["1500ms", 1.5],
  ["2h", 7200],
  ["10us", 0.000_01],
  ["1d", 86_400],
  ["0", 0],
  ["10", null],
  ["s", null],
  ["1 s", null],
  ["-1s", null],
])("%s is %j seconds", (text, wanted) => {
  expect(duration.parse(text)).toBe(wanted);
});

test("cores and modes", () => {
  expect(["0.5", ".5", "2", "1e1", "-1"].map(cores.parse)).toEqual([0.5, 0.5, 2, null, null]);
  expect(["0444", "0o444", "292", "9999", "x"].map(mode.parse)).toEqual([
    292,
    292,
    292,
    null,
    null,
  ]);
});

test.each([
  ["a b  c", ["a", "b", "c"]],
  ["sh -c 'echo \"a b\"'", ["sh", "-c", 'echo "a b"']],
  ['"a\\"b" c\\ d', ['a"b', "c d"]],
  ["a''b\"c\"", ["abc"]],
  ["''", [""]],
  ['"a\\nb"', ["a\\nb"]],
  ["", []],
  ["  ", []],
  ["it's", null],
  ["a\\", null],
])("%j is split as a shell would", (line, wanted) => {
  expect(shellWords(line)).toEqual(wanted);
});

test("words that a shell gets quoted come back", () => {
  const word = fc.string({ unit: fc.constantFrom("a", " ", "'", '"', "\\", "$", "\n", "é") });
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const line = words.map((each) => `'${each.replaceAll("'", "'\\''")}'`).join(" ");
      expect(shellWords(line)).toEqual(words);
    }),
  );
});

test("a real shell splits the same lines in the same way", () => {
  const lines = ["a b", "a 'b c' \"d e\"", "x\\ y z", "a''b", '"a\\"b\\\\c"', "'a\\b'", '"a\\b"'];
  for (const line of lines) {
    const out = execFileSync("/bin/sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
    expect(shellWords(line)).toEqual(out.split("\n").slice(0, -1));
  }
});

test.each([
  ["80", ["", "", "80", "tcp"]],
  ["8080:80", ["", "8080", "80", "tcp"]],
  ["127.0.0.1:8080:80", ["127.0.0.1", "8080", "80", "tcp"]],
  ["127.0.0.1::80", ["127.0.0.1", "", "80", "tcp"]],
  ["[::1]:8080:80", ["::1", "8080", "80", "tcp"]],
  ["53:53/UDP", ["", "53", "53", "udp"]],
  ["3000-3005", ["", "", "3000-3005", "tcp"]],
  [":80", ["", "", "80", "tcp"]],
  ["80:", null],
  ["a:80", null],
  ["1:2:3:4", null],
])("the port %s", (text, wanted) => {
  const split = splitPort(text);
  const { ip, published, target, protocol } = split ?? {};
  expect(split && [ip, published, target, protocol]).toEqual(wanted);
});

test("a range of ports is in order, and of ports", () => {
  expect(["1-3", "80", "3-1", "0", "65536", "1-65535"].map(portRange)).toEqual([
    { first: 1, last: 3 },
    { first: 80, last: 80 },
    null,
    null,
    null,
    { first: 1, last: 65_535 },
  ]);
});

test.each([
  ["/a", [null, "/a", []]],
  ["data:/a", ["data", "/a", []]],
  ["./x:/a:ro,z", ["./x", "/a", ["ro", "z"]]],
  ["C:\\x:/a", ["C:\\x", "/a", []]],
  ["data:", null],
  [":/a", null],
  ["data:/a:ro:x", null],
])("the mount %s", (text, wanted) => {
  const split = splitVolume(text);
  expect(split && [split.source, split.target, split.options]).toEqual(wanted);
});

test("a mount's source is a path or a name", () => {
  expect(["./a", "/a", "~/a", "..", "C:\\x", "data", "a.b"].map(isPath)).toEqual([
    ...[true, true, true, true, true, false, false],
  ]);
});
