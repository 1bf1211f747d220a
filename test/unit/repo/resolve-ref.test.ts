import { describe, expect, test } from "vitest";
import type { Target } from "../../../server/repo/context-url-pages.ts";
import { abbreviatedCommit, resolveRef } from "../../../server/repo/resolve-ref.ts";

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
  { name: "refs/heads/0123456", commit: commit("8") },
  { name: "refs/heads/fix/login-page", commit: `abcdef1${"0".repeat(33)}` },
  { name: "refs/heads/fix/logout-page", commit: `abcdef2${"0".repeat(33)}` },
  { name: "refs/heads/fix/login-pager", commit: commit("9") },
  { name: "refs/heads/fix/login-pages", commit: `abcdef2${"1".repeat(33)}` },
];

const any = (text: string, more: Partial<Target & { kind: "ref" }> = {}): Target => ({
  ...{ kind: "ref", among: "any", text, ends: false, path: null },
  ...more,
});
const id = (text: string): Target => ({ kind: "commit", id: text, path: null });

function failure(target: Target, cached: readonly string[] = []): unknown {
  try {
    return resolveRef({ refs, head }, target, cached);
  } catch (thrown) {
    return thrown;
  }
}

describe("the ref that a context URL names", () => {
  test.each([
    ["feature", "refs/heads/feature", "2", null],
    ["feature/x/src", "refs/tags/feature/x", "3", "src"],
    ["feature/y/src", "refs/heads/feature", "2", "y/src"],
    ["main", "refs/heads/main", "1", null],
    ["v1", "refs/tags/v1", "6", null],
    ["0123456/src", "refs/heads/0123456", "8", "src"],
    [commit("A"), null, "a", null],
    [`${commit("a")}/src`, null, "a", "src"],
    ["2222222", null, "2", null],
    ["6666666/src", null, "6", "src"],
    ["7777777", null, "7", null],
  ])("is for %s the longest that exists: %s", (text, ref, digit, path) => {
    expect(resolveRef({ refs, head }, any(text))).toEqual({ ref, commit: commit(digit), path });
  });

  test("is a branch or a tag, where the URL says which", () => {
    expect(resolveRef({ refs, head }, any("main", { among: "tags" })).ref).toBe("refs/tags/main");
    expect(failure(any("v1", { among: "heads" }))).toMatchObject({ code: "ref-not-found" });
    expect(failure(any(commit("a"), { among: "tags" }))).toMatchObject({ code: "ref-not-found" });
  });

  test("has no folder behind it, where the URL says that it ends", () => {
    expect(failure(any("feature/y", { ends: true }))).toMatchObject({ code: "ref-not-found" });
    expect(resolveRef({ refs, head }, any("feature", { ends: true, path: "y" }))).toEqual({
      ref: "refs/heads/feature",
      commit: commit("2"),
      path: "y",
    });
  });

  test("is where HEAD stands, where the URL says nothing", () => {
    expect(resolveRef({ refs, head }, { kind: "head", path: "a" })).toEqual({ ...head, path: "a" });
    expect(() => resolveRef({ refs: [], head: null }, { kind: "head", path: null })).toThrow(
      expect.objectContaining({ code: "ref-not-found" }),
    );
  });

  test("is a pull request's, if its host shows it", () => {
    const change = { kind: "change", number: 1, ref: "refs/pull/1/head" } as const;
    expect(resolveRef({ refs, head }, change)).toEqual({
      ref: "refs/pull/1/head",
      commit: commit("7"),
      path: null,
    });
    expect(failure({ ...change, ref: "refs/pull-requests/1/from" })).toMatchObject({
      code: "ref-not-found",
      message: expect.stringContaining("source branch"),
    });
  });

  test.each(["nothing", "feat", "pull/1/head", "abc123", "main^{}", "v1^{}", "feature/-x"])(
    "is not there for %s",
    (text) => {
      expect(failure(any(text))).toMatchObject({ code: "ref-not-found" });
    },
  );
});

describe("an abbreviated commit", () => {
  test("is taken when one commit that is known begins so", () => {
    expect(resolveRef({ refs, head }, id("abcdef10"))).toEqual({
      ref: null,
      commit: `abcdef1${"0".repeat(33)}`,
      path: null,
    });
    expect(resolveRef({ refs, head }, id("fffffff"), [commit("f")]).commit).toBe(commit("f"));
    // The same commit from the cache and from a ref is one.
    expect(resolveRef({ refs, head }, id("2222222"), [commit("2")]).commit).toBe(commit("2"));
  });

  test("is never a branch of that name, where the URL says commit", () => {
    expect(failure(id("0123456"))).toMatchObject({ code: "ref-not-found" });
  });

  test.each([
    ["none", "fffffff", []],
    ["two", "abcdef2", []],
    ["two with the cache's", "2222222", [`2222222${"0".repeat(33)}`]],
  ])("has to be given in full when %s begins so", (_, text, cached) => {
    expect(failure(id(text), cached)).toMatchObject({
      code: "ref-not-found",
      message: expect.stringContaining("full 40 digits"),
    });
  });

  test.each([
    [id("abcdef1"), "abcdef1"],
    [any("ABCDEF1/src"), "abcdef1"],
    [any("abcdef1/src", { ends: true }), null],
    [any("main"), null],
    [id(commit("a")), null],
    [{ kind: "head", path: null } as const, null],
  ])("is asked of the cache for %j", (target, short) => {
    expect(abbreviatedCommit(target)).toBe(short);
  });
});

test.each([
  ["fix/login-pag", 'Did you mean "fix/login-page" or "fix/login-pager" or "fix/login-pages"?'],
  ["Fix/Login-Page", 'Did you mean "fix/login-page" or "fix/login-pager" or "fix/login-pages"?'],
  ["login-page", 'Did you mean "fix/login-page"?'],
  ["featur/y/src", 'Did you mean "feature"?'],
  ["something-else", "Check the name, or give the full id of a commit."],
])("instead of %s, the nearest branches are named", (text, advice) => {
  const failed = failure(any(text, { among: "heads" }));
  expect(failed).toMatchObject({
    code: "ref-not-found",
    message: `The repository has no branch "${text}". ${advice}`,
  });
});
