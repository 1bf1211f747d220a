import { expect, test } from "vitest";
import { linkTarget } from "../../../web/src/terminal/links.ts";

const ports = [{ port: 3000, url: "http://3000-govapp.localhost:7700/" }];

test.each([
  ["http://localhost:3000/", "http://3000-govapp.localhost:7700/"],
  ["http://127.0.0.1:3000/a?b=c#d", "http://3000-govapp.localhost:7700/a?b=c#d"],
  ["http://[::1]:3000//evil.example/", "http://3000-govapp.localhost:7700//evil.example/"],
  ["http://0.0.0.0:3000", "http://3000-govapp.localhost:7700/"],
])("a link to the workspace's own port leads there: %s", (uri, target) => {
  expect(linkTarget(uri, ports)).toBe(target);
});

test.each(["http://localhost:4000/", "https://example.org/a"])("%s is left alone", (uri) => {
  expect(linkTarget(uri, ports)).toBe(uri);
});

test.each(["javascript:alert(1)", "file:///etc/passwd", "no link"])(
  "%s is no link for a browser",
  (uri) => {
    expect(linkTarget(uri, ports)).toBeNull();
  },
);
