import { expect, test } from "vitest";
import { contextUrlProblem, suggestedContextUrl } from "../../../web/src/lib/context-url.ts";
import { safePlace } from "../../../web/src/lib/session.ts";

const plausible = [
  "https://github.com/acme/app",
  "http://git.example.org:8080/acme/app/tree/feature/login",
  "ssh://git@git.example.org:2222/acme/app.git",
  "git@github.com:acme/app.git",
  "file:///srv/git/app.git",
];

test.each(plausible)("%s may be a repository", (url) => {
  expect(contextUrlProblem(url)).toBeNull();
  expect(suggestedContextUrl(url)).toBe(url);
  expect(suggestedContextUrl(encodeURIComponent(url))).toBe(url);
});

test.each([
  ["", /Give the URL/],
  ["acme/app", /Begin with https/],
  ["javascript:alert(1)", /not opened over javascript/],
  ["data:text/html,<script>", /not opened over data/],
  ["ext::sh -c id", /no spaces/],
  ["https://github.com", /no repository/],
  ["https://ada:secret@github.com/acme/app", /password/],
  ["https://github.com/acme/\u202eppa", /invisible/],
  [`https://github.com/${"a".repeat(5000)}`, /longer/],
])("%s is refused in words, and fills nothing in", (url, words) => {
  expect(contextUrlProblem(url)).toMatch(words);
  expect(suggestedContextUrl(url)).toBe("");
});

test("a fragment that is not decodable fills nothing in", () => {
  expect(suggestedContextUrl("%E0%A4%A")).toBe("");
});

test("after a sign-in one comes to a place of ours only", () => {
  expect(safePlace("/new#https://github.com/acme/app")).toBe("/new#https://github.com/acme/app");
  expect(safePlace("//evil.example/")).toBe("/");
  expect(safePlace("/\\evil.example/")).toBe("/");
  expect(safePlace("https://evil.example/")).toBe("/");
  expect(safePlace(null)).toBe("/");
});
