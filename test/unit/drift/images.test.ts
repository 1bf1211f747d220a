import { expect, test } from "vitest";
import { between, workload } from "./comparing.ts";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

test.each([
  ["the same tag, and a digest on one side", "a/b:1", `a/b:1@${digest("a")}`, []],
  ["the same digest, whatever the tags", `a/b:1@${digest("a")}`, `a/b:2@${digest("a")}`, []],
  [
    "the same tag with other digests",
    `a/b:1@${digest("a")}`,
    `a/b:1@${digest("b")}`,
    ["info image:web"],
  ],
  ["another tag, and a digest on one side", "a/b:2", `a/b:1@${digest("a")}`, ["info image:web"]],
  ["no tag is the newest", "a/b", "a/b:latest", []],
  ["a tag alone, and a digest alone", "a/b:1", `a/b@${digest("a")}`, ["unknown unknown:web:image"]],
])("%s", (_name, one, other, expected) => {
  const side = (image: string) => [workload("web", { image })];
  expect(between(side(one), side(other))).toEqual(expected);
  expect(between(side(other), side(one))).toEqual(expected);
});
