import { expect, test } from "vitest";
import { contextUrlOfOwnLink } from "../../../server/repo/own-link.ts";

const origins = ["http://app.localhost:7700", "https://oneloop.example"];

test.each([
  [
    "http://app.localhost:7700/#https://github.com/org/repo/tree/feat/x",
    "https://github.com/org/repo/tree/feat/x",
  ],
  ["http://APP.localhost:7700#git@host:a/b", "git@host:a/b"],
  ["https://oneloop.example:443/#https://h/a/b/blob/main/x#L3", "https://h/a/b/blob/main/x#L3"],
  ["https://oneloop.example/#https%3A%2F%2Fh%2Fa%2Fb", "https://h/a/b"],
  ["https://oneloop.example/#https://h/a/b/tree/x%23y", "https://h/a/b/tree/x%23y"],
  ["https://oneloop.example/#100%", "100%"],
  ["https://oneloop.example/", null],
  ["https://oneloop.example/#", null],
  ["https://oneloop.example/workspaces/app#https://h/a/b", null],
  ["https://me@oneloop.example/#https://h/a/b", null],
  ["http://oneloop.example/#https://h/a/b", null],
  ["https://oneloop.example.evil.example/#https://h/a/b", null],
  ["https://github.com/org/repo#readme", null],
  ["git@host:a/b#c", null],
  ["", null],
])("%s holds the context URL %s", (link, contextUrl) => {
  expect(contextUrlOfOwnLink(link, origins)).toBe(contextUrl);
});
