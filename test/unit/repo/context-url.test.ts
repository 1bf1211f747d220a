import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import {
  formatContextUrl,
  parseContextUrl,
  repositoryName,
} from "../../../server/repo/context-url.ts";

describe("a context URL", () => {
  test.each([
    ["https://github.com/acme/govapp", "https://github.com/acme/govapp", null],
    [" https://GitHub.com/acme/govapp.git/ ", "https://github.com/acme/govapp.git", null],
    ["http://127.0.0.1:8080/govapp.git", "http://127.0.0.1:8080/govapp.git", null],
    ["http://[::1]:8080/govapp.git", "http://[::1]:8080/govapp.git", null],
    [
      "https://github.com/acme/govapp/tree/feature/x",
      "https://github.com/acme/govapp",
      "feature/x",
    ],
    ["https://github.com/acme/govapp/tree/a%23b", "https://github.com/acme/govapp", "a#b"],
    ["https://github.com/acme/govapp/tree/", "https://github.com/acme/govapp", null],
    ["https://github.com/acme/tree", "https://github.com/acme/tree", null],
    ["https://gitlab.com/a/b/c/-/tree/main", "https://gitlab.com/a/b/c", "main"],
    ["https://gitlab.com/a/b/tree", "https://gitlab.com/a/b", null],
    ["ssh://git@Host.example:2222/acme/app.git", "ssh://git@host.example:2222/acme/app.git", null],
    ["ssh://host.example/~me/app", "ssh://host.example/~me/app", null],
    ["git@github.com:acme/app.git", "git@github.com:acme/app.git", null],
    ["git@github.com:acme/app.git/tree/a/b", "git@github.com:acme/app.git", "a/b"],
    ["git@[::1]:acme/app", "git@[::1]:acme/app", null],
    ["file:///srv/git/app.git", "file:///srv/git/app.git", null],
    ["file:///srv/my%20git/app.git/tree/main", "file:///srv/my%20git/app.git", "main"],
  ])("%s is read", (text, remote, rest) => {
    const url = parseContextUrl(text);
    expect(url).toMatchObject({ remote, rest });
    expect(parseContextUrl(formatContextUrl(url))).toEqual(url);
  });

  test.each([
    ["an empty text", ""],
    ["a bare name", "acme/app"],
    ["a program", "ext::sh -c id"],
    ["a program without blanks", "ext::sh"],
    ["git's own scheme", "git://host/app"],
    ["javascript", "javascript://host/app"],
    ["a password", "https://me:secret@host/app"],
    ["a token for a user", "https://ghp_secret@host/app"],
    ["a password over ssh", "ssh://me:secret@host/app"],
    ["an option for a host", "ssh://-oProxyCommand=id/app"],
    ["an option for a scp host", "git@-oProxyCommand=id:app"],
    ["an option for a user", "-oProxyCommand=id@host:app"],
    ["an option for a path", "git@host:-app"],
    ["an option for a ref", "https://host/a/b/tree/--upload-pack=id"],
    ["an encoded option for a ref", "https://host/a/b/tree/%2d-x"],
    ["a climbing path", "git@host:../app"],
    ["an encoded slash", "https://host/a/b%2Fc"],
    ["a line break", "https://host/a/b\nc"],
    ["an encoded control character", "https://host/a/b%00c"],
    ["a fragment", "https://host/a/b#main"],
    ["a query", "https://host/a/b?x=1"],
    ["a host without a repository", "https://host/"],
    ["a file on another host", "file://host/app.git"],
    ["a bad port", "https://host:99999/a/b"],
    ["a bad escape", "https://host/a/b%zz"],
    ["a long text", `https://host/${"a".repeat(2000)}`],
  ])("%s is refused", (_, text) => {
    expect(refusal(text)).toMatchObject({ code: "context-url-invalid" });
    expect(String(refusal(text))).not.toContain("secret");
  });

  test("is any text: read or refused, and what is read is written and read again as the same", () => {
    const part = fc.string({
      unit: fc.constantFrom(..."abZ019._~@+%-/:#?= é".split("")),
      maxLength: 20,
    });
    const anyText = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .tuple(
          fc.constantFrom("https://h/", "http://h:81/", "ssh://git@h/", "git@h:", "file:///", ""),
          part,
          fc.constantFrom("", ".git", "/tree/", "/-/tree/", ".git/tree/"),
          part,
        )
        .map((parts) => parts.join("")),
    );
    let read = 0;
    fc.assert(
      fc.property(anyText, (text) => {
        const refused = refusal(text);
        if (refused !== null) {
          if (!(refused instanceof OneloopError)) throw refused;
          return;
        }
        read += 1;
        const url = parseContextUrl(text);
        expect(parseContextUrl(formatContextUrl(url))).toEqual(url);
        expect(repositoryName(url)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/);
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(100);
  });
});

test.each([
  ["/acme/govapp.git", "govapp"],
  ["/acme/.git", "repository"],
  ["/acme/.hidden", "hidden"],
  ["/acme/-x y.GIT", "x-y"],
  ["app", "app"],
])("the folder of %s is %s", (path, name) => {
  expect(repositoryName({ path })).toBe(name);
});

function refusal(text: string): unknown {
  try {
    parseContextUrl(text);
    return null;
  } catch (thrown) {
    return thrown;
  }
}
