import { expect, it } from "vitest";
import { parseWorkCounts } from "../../../server/workspaces/work.ts";

const now = new Date("2026-01-05T09:00:00Z");
const head = "0123456789abcdef0123456789abcdef01234567";

it("reads the counts, and the commit that is checked out", () => {
  const text = `head ${head}\nuncommitted 2\nunpushed 1\nstashes 0\n`;
  expect(parseWorkCounts(text, now)).toEqual({
    uncommitted: 2,
    unpushed: 1,
    stashes: 0,
    head,
    at: "2026-01-05T09:00:00.000Z",
  });
});

it("a repository without a commit has no head", () => {
  const text = "head \nuncommitted 0\nunpushed 0\nstashes 0\n";
  expect(parseWorkCounts(text, now)?.head).toBeNull();
});

it.each(["", "uncommitted -1\nunpushed 0\nstashes 0", `uncommitted ${"9".repeat(40)}\nunpushed 0`])(
  "%s is no count",
  (text) => {
    expect(parseWorkCounts(text, now)).toBeNull();
  },
);
