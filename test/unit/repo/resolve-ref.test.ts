import { describe, expect, test } from "vitest";
import { resolveRef } from "../../../server/repo/resolve-ref.ts";

const commit = (digit: string) => digit.repeat(40);
const head = { ref: "refs/heads/main", commit: commit("1") };
const refs = [
  { name: "refs/heads/main", commit: commit("1") },
  { name: "refs/heads/feature", commit: commit("2") },
  { name: "refs/tags/feature/x", commit: commit("3") },
  { name: "refs/tags/main", commit: commit("4") },
  { name: "refs/tags/v1", commit: commit("5") },
  { name: "refs/tags/v1^{}", commit: commit("6") },
  { name: "refs/pull/1/head", commit: commit("7") },
];

describe("the rest of a context URL", () => {
  test.each([
    [null, "refs/heads/main", "1"],
    ["feature", "refs/heads/feature", "2"],
    ["feature/x/src", "refs/tags/feature/x", "3"],
    ["feature/y/src", "refs/heads/feature", "2"],
    ["main", "refs/heads/main", "1"],
    ["v1", "refs/tags/v1", "6"],
    [commit("A"), null, "a"],
    [`${commit("a")}/src`, null, "a"],
  ])("%s names %s", (rest, ref, digit) => {
    expect(resolveRef(refs, head, rest)).toEqual({ ref, commit: commit(digit) });
  });

  test.each(["nothing", "feat", "pull/1/head", "abc123"])("%s names nothing", (rest) => {
    expect(() => resolveRef(refs, head, rest)).toThrow(
      expect.objectContaining({ code: "ref-not-found" }),
    );
  });

  test("names nothing in an empty repository", () => {
    expect(() => resolveRef([], null, null)).toThrow(
      expect.objectContaining({ code: "ref-not-found" }),
    );
  });
});
