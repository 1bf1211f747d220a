import { expect, test } from "vitest";
import {
  checkedOut,
  relativeTime,
  repositoryFolder,
  shortRepository,
  since,
  sshCommand,
  workPhrases,
} from "../../../web/src/lib/format.ts";

test.each([
  ["https://git.example.org/owner/app.git", "git.example.org/owner/app", "app"],
  ["https://user@git.example.org/owner/app", "git.example.org/owner/app", "app"],
  ["file:///srv/git/app.git", "/srv/git/app", "app"],
  ["git@git.example.org:app.git", "git@git.example.org:app", "app"],
])("%s is shown as %s, and checked out in %s", (repository, shown, folder) => {
  expect(shortRepository(repository)).toBe(shown);
  expect(repositoryFolder(repository)).toBe(folder);
});

test("the ssh command names the port only where ssh needs it", () => {
  expect(sshCommand({ host: "localhost", port: 7722, user: "w" })).toBe("ssh -p 7722 w@localhost");
  expect(sshCommand({ host: "example.org", port: 22, user: "w" })).toBe("ssh w@example.org");
});

test("a time span has one digit below 100 s and minutes above", () => {
  const start = "2026-01-01T00:00:00.000Z";
  expect(since(start, "2026-01-01T00:00:01.250Z")).toBe("+1.3 s");
  expect(since(start, "2026-01-01T00:05:00.000Z")).toBe("+5 min");
});

const now = Date.parse("2026-06-15T12:00:00.000Z");

test.each([
  ["2026-06-15T11:59:30.000Z", "just now"],
  // A clock that is a little ahead is no reason for "in 20 seconds".
  ["2026-06-15T12:00:20.000Z", "just now"],
  ["2026-06-15T11:58:01.000Z", "1 minute ago"],
  ["2026-06-15T09:00:00.000Z", "3 hours ago"],
  ["2026-06-14T11:00:00.000Z", "yesterday"],
  ["2026-06-01T12:00:00.000Z", "2 weeks ago"],
  ["2025-01-01T12:00:00.000Z", "last year"],
])("%s is %s", (at, words) => {
  expect(relativeTime(at, now)).toBe(words);
});

const counted = { head: null, at: "2026-06-15T12:00:00.000Z" };

test("unsaved work is told in phrases, and what was not counted is not told at all", () => {
  expect(workPhrases({ uncommitted: 3, unpushed: 1, stashes: 1, ...counted })).toEqual([
    "3 uncommitted",
    "1 unpushed",
    "1 stash",
  ]);
  expect(workPhrases({ uncommitted: 0, unpushed: 0, stashes: 0, ...counted })).toEqual([]);
  expect(workPhrases(null)).toEqual([]);
});

const commit = "0123456789abcdef0123456789abcdef01234567";

test.each([
  ["main", "refs/heads/main", { kind: "branch", label: "main", detached: false }],
  [null, "refs/tags/v1.2", { kind: "tag", label: "v1.2", detached: true }],
  [null, "refs/pull/7/head", { kind: "pull-request", label: "#7", detached: true }],
  [null, "refs/merge-requests/8/head", { kind: "pull-request", label: "#8", detached: true }],
  [null, null, { kind: "commit", label: "0123456", detached: true }],
])("branch %s with ref %s is told as what it is", (branch, ref, expected) => {
  expect(checkedOut({ branch, ref, commit })).toEqual(expected);
});
