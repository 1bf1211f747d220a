import { expect, it } from "vitest";
import { isEmpty, parseUnsavedWork } from "../../../server/workspaces/source.ts";

it("lists what only the workspace has, by kind", () => {
  const work = parseUnsavedWork(
    [
      "= uncommitted",
      " M server.js",
      "?? notes/= unpushed",
      "= unpushed",
      "refs/heads/feat/x: 1a2b3c4 A commit",
      "HEAD: 5d6e7f8 On no branch",
      "= stashes",
      "stash@{0}: WIP on main",
      "",
    ].join("\n"),
  );
  expect(work).toEqual({
    uncommitted: [" M server.js", "?? notes/= unpushed"],
    unpushed: ["feat/x: 1a2b3c4 A commit", "HEAD: 5d6e7f8 On no branch"],
    stashes: ["stash@{0}: WIP on main"],
  });
  expect(isEmpty(work)).toBe(false);
});

it("a clean checkout, and one that is not there, have nothing to lose", () => {
  expect(isEmpty(parseUnsavedWork("= uncommitted\n= unpushed\n= stashes\n"))).toBe(true);
  expect(isEmpty(parseUnsavedWork(""))).toBe(true);
});

it("shows a bounded list of a tree with very many changes", () => {
  const lines = Array.from({ length: 5000 }, (_, index) => `?? file-${index}`);
  const work = parseUnsavedWork(["= uncommitted", ...lines].join("\n"));
  expect(work.uncommitted).toHaveLength(200);
});
