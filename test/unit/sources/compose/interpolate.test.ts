import * as fc from "fast-check";
import { expect, test } from "vitest";
import { interpolate, maxValueChars } from "../../../../server/sources/compose/interpolate.ts";

const env = new Map([
  ["A", "a"],
  ["EMPTY", ""],
  ["DOLLAR", "$A"],
]);

test.each([
  ["$A", "a"],
  ["${A}", "a"],
  ["x${A}y$A.z", "xaya.z"],
  ["$A_", ""],
  ["$$A $${A}", "$A ${A}"],
  ["${NO:-d}", "d"],
  ["${NO-d}", "d"],
  ["${EMPTY:-d}", "d"],
  ["${EMPTY-d}", ""],
  ["${A:-d}", "a"],
  ["${NO:+d}", ""],
  ["${A:+d}", "d"],
  ["${EMPTY:+d}", ""],
  ["${EMPTY+d}", "d"],
  ["${A:?no a}", "a"],
  ["${EMPTY?no a}", ""],
  ["${NO:-${NO2:-${A}}}", "a"],
  ["${NO:-x${A}y}z", "xayz"],
  ["${NO:-http://h:80/?q=1}", "http://h:80/?q=1"],
  ["${NO:-}", ""],
  ["${A:+[$A]}", "[a]"],
  ["${NO-$$}", "$"],
  // A value is text: what looks like a variable in it is none.
  ["$DOLLAR", "$A"],
  // As Compose has it, only a name or a brace makes a variable.
  ["$(date) $1 5$", "$(date) $1 5$"],
])("%s becomes %j", (text, wanted) => {
  expect(interpolate(text, env)).toMatchObject({ text: wanted });
});

test("a variable that nobody has set is named, unless something stands in for it", () => {
  const unset = (text: string) => {
    const done = interpolate(text, env);
    return "code" in done ? done.code : [done.text, done.unset, done.variable];
  };
  expect(unset("x$NO.${NO2}")).toEqual(["x.", ["NO", "NO2"], null]);
  expect(unset("${NO}")).toEqual(["", ["NO"], "NO"]);
  expect(unset("${NO:?say it}")).toEqual(["", ["NO"], "NO"]);
  expect(unset("${NO:-${NO2}}")).toEqual(["", ["NO2"], null]);
  expect(unset("${NO:-x}${A:-$NO}${NO:+$NO2}")).toEqual(["xa", [], null]);
});

test("a variable that must be set is told with the file's words, when it is asked for", () => {
  const required = (text: string) => {
    const done = interpolate(text, env);
    return "code" in done ? done.code : done.required;
  };
  expect(required("${NO:?set ${A}}")).toEqual([{ name: "NO", words: "set a" }]);
  expect(required("${EMPTY:?}")).toEqual([{ name: "EMPTY", words: "" }]);
  expect(required("${EMPTY?x}${A:-${NO:?x}}${NO:+${NO2?x}}")).toEqual([]);
  expect(required("${NO:-${NO2?x}}")).toEqual([{ name: "NO2", words: "x" }]);
});

test.each([
  ["a${", 1, "bad-variable"],
  ["${}", 0, "bad-variable"],
  ["${1A}", 0, "bad-variable"],
  ["${A/x/y}", 0, "bad-variable"],
  ["${A:-x", 0, "bad-variable"],
  ["x ${NO:-${A:x}}", 8, "bad-variable"],
  ["${A:-".repeat(17) + "}".repeat(17), 80, "too-deep"],
])("%s is wrong from character %i on", (text, at, code) => {
  expect(interpolate(text, env)).toMatchObject({ at, code });
});

test("a text cannot grow beyond what a program takes", () => {
  const long = new Map([["L", "x".repeat(1000)]]);
  expect(interpolate("$L".repeat(131), long)).toMatchObject({ unset: [] });
  expect(interpolate("$L".repeat(132), long)).toMatchObject({ code: "too-long" });
  expect(maxValueChars).toBe(131_072);
});

test("any text becomes text, or has its mistake within it", () => {
  const piece = fc.constantFrom("$", "{", "}", ":", "-", "?", "+", "A", "NO", "$$", "${", " ", "é");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join("");
      const done = interpolate(text, env);
      if ("code" in done) {
        expect(done.at).toBeGreaterThanOrEqual(0);
        expect(done.at).toBeLessThan(text.length);
      }
    }),
  );
});

test("a text with its dollar signs doubled is itself", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(interpolate(text.replaceAll("$", "$$$$"), env)).toMatchObject({ text, unset: [] });
    }),
  );
});
