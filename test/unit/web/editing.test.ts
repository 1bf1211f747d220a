import { expect, test } from "vitest";
import {
  indented,
  newLine,
  offsetOf,
  outdented,
  type Edit,
  type Editing,
} from "../../../web/src/lib/editing.ts";

/** `|` marks the selection's ends (or the caret, once) in a text, before and after. */
function at(marked: string): Editing {
  const start = marked.indexOf("|");
  const text = marked.replaceAll("|", "");
  return {
    text,
    start,
    end: marked.lastIndexOf("|") === start ? start : marked.lastIndexOf("|") - 1,
  };
}

function after({ text }: Editing, { from, to, insert, start, end }: Edit): string {
  const next = text.slice(0, from) + insert + text.slice(to);
  const caret = start === end ? "|" : `|${next.slice(start, end)}|`;
  return next.slice(0, start) + caret + next.slice(end);
}

test.each([
  ["a|", "a |"],
  ["|a", "  |a"],
  ["  |x", "    |x"],
  ["|a\nb|", "|  a\n  b|"],
  ["|a\n\nb\n|c", "|  a\n\n  b|\nc"],
])("Tab makes %j to %j", (before, expected) => {
  expect(after(at(before), indented(at(before)))).toBe(expected);
});

test.each([
  ["    a|", "  a|"],
  [" a|", "a|"],
  ["a|", "a|"],
  ["  a\n  |b", "  a\n|b"],
  ["|  a\n b|", "|a\nb|"],
])("Shift and Tab make %j to %j", (before, expected) => {
  expect(after(at(before), outdented(at(before)))).toBe(expected);
});

test.each([
  ["a|", "a\n|"],
  ["  a|b", "  a\n  |b"],
  ["  a:|", "  a:\n    |"],
])("Enter makes %j to %j", (before, expected) => {
  expect(after(at(before), newLine(at(before)))).toBe(expected);
});

test("a mistake's line and column are a place in the text, also past its end", () => {
  const text = "one\ntwo\nthree";
  expect(offsetOf(text, 1, 1)).toBe(0);
  expect(offsetOf(text, 2, 3)).toBe(6);
  expect(offsetOf(text, 2, 99)).toBe(7);
  expect(offsetOf(text, 9, 1)).toBe(text.length);
});
