import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { parseContextUrl, repositoryName } from "../../../server/repo/context-url.ts";
import { resolveRef } from "../../../server/repo/resolve-ref.ts";

const sha = "8a5a1f0c3d2e4b6978a0b1c2d3e4f5061728394a";

/** What a target names, in one line. */
function named(text: string): string {
  const { target } = parseContextUrl(text);
  switch (target.kind) {
    case "head":
      return target.path === null ? "head" : `head, ${target.path}`;
    case "ref":
      return `${target.among} ${target.text}${target.ends ? "" : "…"}${target.path === null ? "" : `, ${target.path}`}`;
    case "commit":
      return `commit ${target.id}${target.path === null ? "" : `, ${target.path}`}`;
    case "change":
      return target.ref;
  }
}

describe("a repository's own URL", () => {
  test.each([
    ["https://github.com/acme/govapp", "https://github.com/acme/govapp"],
    [" https://GitHub.com/acme/govapp.git/ ", "https://github.com/acme/govapp.git"],
    ["http://github.com/acme/govapp", "https://github.com/acme/govapp"],
    ["https://github.com:443/acme/govapp", "https://github.com/acme/govapp"],
    ["https://github.com/acme/govapp?tab=readme-ov-file#use", "https://github.com/acme/govapp"],
    ["https://github.com/acme/govapp#readme", "https://github.com/acme/govapp"],
    ["https://github.com/acme/govapp/tree/", "https://github.com/acme/govapp"],
    ["https://github.com/acme/tree", "https://github.com/acme/tree"],
    ["https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c.git"],
    ["https://gitlab.com/a/b/tree", "https://gitlab.com/a/b.git"],
    ["https://bitbucket.org/acme/govapp.git", "https://bitbucket.org/acme/govapp.git"],
    ["http://127.0.0.1:8080/govapp.git", "http://127.0.0.1:8080/govapp.git"],
    ["http://127.0.0.1:80/govapp.git", "http://127.0.0.1/govapp.git"],
    ["http://0x7f.1/govapp.git", "http://127.0.0.1/govapp.git"],
    ["http://[::1]:8080/govapp.git", "http://[::1]:8080/govapp.git"],
    ["https://bücher.example/a/b", "https://xn--bcher-kva.example/a/b"],
    ["https://git.example.org/a/b/c/d/e", "https://git.example.org/a/b/c/d/e"],
    ["https://git.example.org/scm/key/app.git", "https://git.example.org/scm/key/app.git"],
    ["https://git.example.org/group/sub/src", "https://git.example.org/group/sub/src"],
    ["https://git.example.org/group/sub/pull/bot", "https://git.example.org/group/sub/pull/bot"],
    ["ssh://git@Host.example:2222/acme/app.git", "ssh://git@host.example:2222/acme/app.git"],
    ["ssh://git@host.example:22/acme/app.git", "ssh://git@host.example/acme/app.git"],
    ["ssh://host.example/~me/app", "ssh://host.example/~me/app"],
    ["ssh://git@host.example/a/b/tree/main", "ssh://git@host.example/a/b/tree/main"],
    ["git@github.com:acme/app.git", "git@github.com:acme/app.git"],
    ["git@Bücher.example:acme/app.git", "git@xn--bcher-kva.example:acme/app.git"],
    ["git@[::1]:acme/app", "git@[::1]:acme/app"],
    ["file:///srv/git/app.git", "file:///srv/git/app.git"],
    ["file://localhost/srv/-/app.git", "file:///srv/-/app.git"],
  ])("%s is given to git as %s", (text, remote) => {
    expect(parseContextUrl(text).remote).toBe(remote);
    expect(named(text)).toBe("head");
    expect(parseContextUrl(remote).remote).toBe(remote);
  });
});

describe("a page's URL", () => {
  test.each([
    // GitHub
    ["https://github.com/facebook/react/tree/main", "facebook/react", "any main…"],
    [
      "https://github.com/facebook/react/tree/main/packages",
      "facebook/react",
      "any main/packages…",
    ],
    ["https://github.com/nodejs/node/tree/v20.x-staging", "nodejs/node", "any v20.x-staging…"],
    ["https://github.com/acme/app/tree/a%23b", "acme/app", "any a#b…"],
    ["https://github.com/acme/app/tree/feat%2Flogin", "acme/app", "any feat/login…"],
    ["https://github.com/acme/app/tree/refs/heads/x/y", "acme/app", "heads x/y…"],
    ["https://github.com/acme/app/tree/日本", "acme/app", "any 日本…"],
    [`https://github.com/torvalds/linux/commit/${sha}`, "torvalds/linux", `commit ${sha}`],
    ["https://github.com/torvalds/linux/commit/8A5A1F0", "torvalds/linux", "commit 8a5a1f0"],
    [`https://github.com/acme/app/commits/${sha}`, "acme/app", `commit ${sha}`],
    ["https://github.com/acme/app/commits/main/", "acme/app", "any main…"],
    ["https://github.com/acme/app/commits/branch/x", "acme/app", "any branch/x…"],
    [
      "https://github.com/rust-lang/rust/blob/master/.github/workflows/ci.yml?plain=1#L10-L20",
      "rust-lang/rust",
      "any master/.github/workflows/ci.yml…",
    ],
    [
      "https://github.com/vercel/next.js/blob/canary/app/%5Bid%5D/a%20b.tsx",
      "vercel/next.js",
      "any canary/app/[id]/a b.tsx…",
    ],
    [
      "https://github.com/acme/app/blob/main/foo.git/tree/x",
      "acme/app",
      "any main/foo.git/tree/x…",
    ],
    ["https://github.com/acme/app/blob/main/-/tree/x", "acme/app", "any main/-/tree/x…"],
    ["https://github.com/facebook/react/pull/27513", "facebook/react", "refs/pull/27513/head"],
    ["https://github.com/acme/app/pull/5/files#diff-1", "acme/app", "refs/pull/5/head"],
    ["https://github.com/acme/app/pull/5/commits", "acme/app", "refs/pull/5/head"],
    [`https://github.com/acme/app/pull/5/commits/${sha}`, "acme/app", `commit ${sha}`],
    ["https://github.com/cli/cli/releases/tag/v2.40.0", "cli/cli", "tags v2.40.0"],
    [
      "https://github.com/babel/b/releases/tag/@babel/core@7.0.0",
      "babel/b",
      "tags @babel/core@7.0.0",
    ],
    ["https://github.com/acme/app.git/tree/main", "acme/app.git", "any main…"],
    ["https://github.com/acme/app/-/tree/main", "acme/app", "any main…"],
    // GitLab
    ["https://gitlab.com/gitlab-org/gitlab/-/tree/master", "gitlab-org/gitlab.git", "any master…"],
    ["https://gitlab.com/a/b/c/d/-/tree/x/y?ref_type=heads", "a/b/c/d.git", "heads x/y…"],
    ["https://gitlab.com/a/b/-/tree/v1?ref_type=tags", "a/b.git", "tags v1…"],
    ["https://gitlab.com/a/b/-/blob/main/README.md#L3", "a/b.git", "any main/README.md…"],
    [`https://gitlab.com/a/b/-/commit/${sha}`, "a/b.git", `commit ${sha}`],
    ["https://gitlab.com/a/b/-/merge_requests/7/diffs", "a/b.git", "refs/merge-requests/7/head"],
    ["https://gitlab.com/a/b/-/tags/v1.0", "a/b.git", "tags v1.0"],
    ["https://gitlab.com/a/b/-/releases/v1.0", "a/b.git", "tags v1.0"],
    ["https://gitlab.com/a/b/c/tree/main", "a/b/c.git", "any main…"],
    ["https://gitlab.com/a/b/c/blob/main/-/x", "a/b/c.git", "any main/-/x…"],
    [`https://gitlab.com/a/b/c/commit/${sha}`, "a/b/c.git", `commit ${sha}`],
    ["https://gitlab.com/a/b/merge_requests/7", "a/b.git", "refs/merge-requests/7/head"],
    // Bitbucket Cloud
    ["https://bitbucket.org/acme/app/src/main/", "acme/app", "any main…"],
    [`https://bitbucket.org/acme/app/src/${sha}/a/b.py`, "acme/app", `any ${sha}/a/b.py…`],
    ["https://bitbucket.org/acme/app/src/branch/x", "acme/app", "any branch/x…"],
    ["https://bitbucket.org/acme/app/branch/feat/x", "acme/app", "heads feat/x"],
    ["https://bitbucket.org/acme/app/commits/branch/x", "acme/app", "heads x…"],
    ["https://bitbucket.org/acme/app/commits/8a5a1f0", "acme/app", "any 8a5a1f0…"],
    [
      "https://bitbucket.org/acme/app/pull-requests/3/diff",
      "acme/app",
      "refs/pull-requests/3/from",
    ],
    // Gitea and Forgejo
    [
      "https://codeberg.org/forgejo/forgejo/src/branch/forgejo",
      "forgejo/forgejo",
      "heads forgejo…",
    ],
    ["https://codeberg.org/a/b/src/tag/v1/x", "a/b", "tags v1/x…"],
    [`https://codeberg.org/a/b/src/commit/${sha}/x/y`, "a/b", `commit ${sha}, x/y`],
    [`https://codeberg.org/a/b/commit/${sha}`, "a/b", `commit ${sha}`],
    ["https://codeberg.org/a/b/pulls/9/files", "a/b", "refs/pull/9/head"],
    ["https://codeberg.org/a/b/releases/tag/v1", "a/b", "tags v1"],
  ])("%s names %s: %s", (text, repository, what) => {
    expect(parseContextUrl(text).remote).toBe(`https://${text.split("/")[2]}/${repository}`);
    expect(named(text)).toBe(what);
  });

  test.each([
    ["/a/b/tree/x/y", "/a/b", "any x/y…"],
    [`/a/b/commit/${sha}`, "/a/b", `commit ${sha}`],
    ["/a/b/blob/main/-/tree/x", "/a/b", "any main/-/tree/x…"],
    ["/a/b/pull/5", "/a/b", "refs/pull/5/head"],
    ["/a/b/src/branch/x", "/a/b", "heads x…"],
    ["/a/b/src/main/x", "/a/b", "any main/x…"],
    ["/a/b/branch/x/y", "/a/b", "heads x/y"],
    ["/a/b/c/d/-/tree/x", "/a/b/c/d", "any x…"],
    ["/a/b/src/-/tree/x", "/a/b/src", "any x…"],
    ["/a/-/merge_requests/1", "/a", "refs/merge-requests/1/head"],
    ["/a/b/-/commits/branch/x", "/a/b", "any branch/x…"],
    ["/one/deep/app.git/tree/x", "/one/deep/app.git", "any x…"],
    ["/app.git/tree/x", "/app.git", "any x…"],
    ["/projects/KEY/repos/app", "/scm/key/app.git", "head"],
    ["/projects/KEY/repos/app?at=x", "/scm/key/app.git", "any x"],
    ["/projects/KEY/repos/app/browse", "/scm/key/app.git", "head"],
    ["/projects/KEY/repos/app/browse/a/b", "/scm/key/app.git", "head, a/b"],
    [
      "/projects/KEY/repos/app/browse/a?at=refs%2Fheads%2Fx%2By",
      "/scm/key/app.git",
      "heads x+y, a",
    ],
    ["/projects/KEY/repos/app/browse?at=refs/tags/v1", "/scm/key/app.git", "tags v1"],
    [`/projects/KEY/repos/app/browse?at=${sha}`, "/scm/key/app.git", `any ${sha}`],
    [`/projects/KEY/repos/app/commits/${sha}`, "/scm/key/app.git", `commit ${sha}`],
    [
      "/projects/KEY/repos/app/pull-requests/4/overview",
      "/scm/key/app.git",
      "refs/pull-requests/4/from",
    ],
    ["/users/Me/repos/app/browse", "/scm/~me/app.git", "head"],
    ["/bitbucket/projects/KEY/repos/app/browse", "/bitbucket/scm/key/app.git", "head"],
    ["/group/projects/key/repos/app", "/group/projects/key/repos/app", "head"],
  ])("on a host that nobody knows, %s names %s: %s", (page, repository, what) => {
    const text = `http://git.example.org:3000${page}`;
    expect(parseContextUrl(text).remote).toBe(`http://git.example.org:3000${repository}`);
    expect(named(text)).toBe(what);
  });

  test.each([
    ["git@github.com:acme/app.git/tree/a/b", "git@github.com:acme/app.git", "any a/b…"],
    ["git@host:acme/app/-/commit/8a5a1f0", "git@host:acme/app", "commit 8a5a1f0"],
    ["ssh://git@host/acme/app.git/src/tag/v1", "ssh://git@host/acme/app.git", "tags v1…"],
    ["ssh://git@host/acme/app/-/pull/5", "ssh://git@host/acme/app", "refs/pull/5/head"],
    ["file:///srv/my%20git/app.git/tree/main", "file:///srv/my%20git/app.git", "any main…"],
    ["file:///srv/app/-/tree/main", "file:///srv/app", "any main…"],
  ])("behind a mark, %s names %s: %s", (text, remote, what) => {
    expect(parseContextUrl(text).remote).toBe(remote);
    expect(named(text)).toBe(what);
  });
});

describe("a workspace's repository", () => {
  test.each([
    ["https://github.com/Acme/App.git/", "http://github.com/acme/app/tree/main"],
    ["https://gitlab.com/a/b.git", "https://gitlab.com/A/b/-/tree/x"],
    ["git@github.com:acme/app.git", "ssh://git@github.com:22/acme/app"],
    ["https://git.example.org/a/b", "https://GIT.example.org:443/a/b/tree/main"],
    ["me@host:/srv/a+b", "ssh://me@host/srv/a+b"],
    ["https://host/projects/K/repos/app/browse", "https://host/scm/k/app.git"],
  ])("is the same for %s and %s", (one, other) => {
    expect(parseContextUrl(one).repositoryKey).toBe(parseContextUrl(other).repositoryKey);
  });

  test.each([
    ["https://github.com/acme/app", "git@github.com:acme/app"],
    ["https://git.example.org/a/b", "https://git.example.org/a/b.git"],
    ["https://git.example.org/a/b", "https://git.example.org/A/b"],
    ["https://git.example.org/a/b", "http://git.example.org/a/b"],
    ["https://git.example.org/a/b", "https://git.example.org:8443/a/b"],
    ["me@host:app", "me@host:/app"],
    ["me@host:app", "you@host:app"],
    ["file:///srv/app", "file:///srv/app.git"],
  ])("is not the same for %s and %s", (one, other) => {
    expect(parseContextUrl(one).repositoryKey).not.toBe(parseContextUrl(other).repositoryKey);
  });
});

describe("a context URL", () => {
  test.each([
    ["an empty text", ""],
    ["a bare name", "acme/app"],
    ["a host without a user", "github.com:acme/app"],
    ["a program", "ext::sh -c id"],
    ["a program without blanks", "ext::sh"],
    ["a program in front of a URL", "ext::https://host/a/b"],
    ["git's own scheme", "git://host/app"],
    ["a package's scheme", "git+ssh://git@host/app"],
    ["javascript", "javascript://host/app"],
    ["one slash", "https:/host/a/b"],
    ["no host", "https:///a/b"],
    ["a password", "https://me:secret@host/app"],
    ["an encoded password", "https://me%3Asecret@host/app"],
    ["a password with an at", "https://me:a@secret@host/app"],
    ["an empty password", "https://secret:@host/app"],
    ["a token for a user", "https://ghp_secret@host/app"],
    ["a password over ssh", "ssh://me:secret@host/app"],
    ["an empty user", "ssh://@host/app"],
    ["an option for a host", "ssh://-oProxyCommand=id/app"],
    ["an option for a scp host", "git@-oProxyCommand=id:app"],
    ["an option for a user", "-oProxyCommand=id@host:app"],
    ["an option for a user over ssh", "ssh://-oProxyCommand=id@host/app"],
    ["an option for a path", "git@host:-app"],
    ["an option for a path of a URL", "https://host/--upload-pack=id/app"],
    ["an encoded option for a path", "ssh://host/%2d-upload-pack=id"],
    ["an option for a ref", "https://host/a/b/tree/--upload-pack=id"],
    ["an encoded option for a ref", "https://host/a/b/tree/%2d-x"],
    ["an option for a full ref", "https://host/a/b/tree/refs/heads/-x"],
    ["an option for a tag", "https://github.com/a/b/releases/tag/-x"],
    ["an option for a ref in the query", "https://host/projects/K/repos/a/browse?at=-x"],
    ["an option for a file", "https://host/projects/K/repos/a/browse/-x"],
    ["a climbing path", "git@host:../app"],
    ["a climbing path of a URL", "https://github.com/acme/app/../../evil/app"],
    ["an encoded climbing path", "https://host/a/%2e%2e/b"],
    ["a climbing file", "https://github.com/a/b/blob/main/%2e%2e%2fx"],
    ["an encoded slash", "https://host/a/b%2Fc"],
    ["a line break", "https://host/a/b\nc"],
    ["a NUL", "https://host/a/b\0c"],
    ["a backslash", "https://host/a\\b"],
    ["an encoded backslash", "https://host/a/b%5cc"],
    ["an encoded control character", "https://host/a/b%00c"],
    ["an escape sequence in a ref", "https://host/a/b/tree/x%1b%5b2J"],
    ["text that runs backwards", "https://host/a/b/tree/x%E2%80%AEy"],
    ["half a character", "https://host/a/b\ud800"],
    ["a branch for a fragment", "https://host/a/b#main"],
    ["a branch for a fragment behind .git", "https://github.com/a/b.git#main"],
    ["a branch for a query", "https://host/a/b?ref=x"],
    ["a fragment over ssh", "ssh://host/a/b#main"],
    ["a query of a page over ssh", "ssh://host/a/b.git/tree/x?tab=a"],
    ["a fragment of a folder", "file:///srv/a#main"],
    ["a fragment over scp", "git@host:a/b.git#main"],
    ["a host without a repository", "https://host/"],
    ["an owner without a repository", "https://github.com/acme"],
    ["a group without a repository", "https://gitlab.com/a/-/tree/main"],
    ["a dash for a branch", "https://gitlab.com/a/b/-/tree/-/"],
    ["a list of issues", "https://github.com/acme/app/issues/5"],
    ["a list of issues of GitLab", "https://git.example.org/a/b/-/issues/5"],
    ["a comparison", "https://github.com/acme/app/compare/main...x"],
    ["a page of Bitbucket Server", "https://host/projects/K/repos/app/settings"],
    ["a pull request without a number", "https://github.com/acme/app/pull/new"],
    ["a commit that is too short", "https://github.com/acme/app/commit/8a5a1f"],
    ["a commit that is too long", `https://github.com/acme/app/commit/${sha}0`],
    ["a lock for a ref", "https://github.com/a/b/tree/main.lock"],
    ["a lock for a tag", "https://github.com/a/b/releases/tag/x/v1.lock"],
    ["two dots in a ref", "https://github.com/a/b/tree/main..x"],
    ["a space in a ref", "https://github.com/a/b/tree/a%20b"],
    ["a reflog for a ref", "https://github.com/a/b/tree/main@%7B1%7D"],
    ["a parent for a ref", "https://github.com/a/b/tree/main%5E"],
    ["an empty part of a ref", "https://github.com/a/b/tree/x%2F%2Fy"],
    ["a file on another host", "file://host/app.git"],
    ["port zero", "https://host:0/a/b"],
    ["a port out of range", "https://host:65536/a/b"],
    ["a long port", "https://host:99999999999/a/b"],
    ["a port with a sign", "ssh://host:-1/a/b"],
    ["a bad escape", "https://host/a/b%zz"],
    ["a bad escape in a query", "https://host/projects/K/repos/a/browse?at=%zz"],
    ["a long host", `https://${"a.".repeat(200)}example/a/b`],
    ["a long text", `https://host/${"a".repeat(2000)}`],
  ])("with %s is refused", (_, text) => {
    expect(refusal(text)).toMatchObject({ code: "context-url-invalid" });
    expect(String(refusal(text))).not.toContain("secret");
  });

  test.each([
    ["https://me:secret@host/a/b", "Remove the password from the URL"],
    ["ssh://me:secret@host/a/b", "Remove the password from the URL"],
    ["https://ghp_secret@host/a/b", "Remove the user or token from the URL"],
    ["https://host/a/b#main", "/tree/<branch>"],
    ["https://github.com/acme", "https://host/owner/repository"],
    ["https://github.com/acme/app/issues/5", "…/pull/<number>"],
    ["ext::sh", "https, http, ssh or file only"],
    ["https://host:0/a/b", "1 to 65535"],
  ])("that is refused says what to write instead: %s", (text, advice) => {
    expect(String(refusal(text))).toContain(advice);
  });

  test("of any text is read or refused, and what is read is safe to give to git", () => {
    const odd = [
      ...Array.from("-.@~+%/:#?=&[]^ é\u202e\u0007\\"),
      "%2d",
      "%2F",
      "%00",
      "/-",
      "../",
      "--",
    ];
    const unit = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...Array.from("ab/01")) },
      { weight: 1, arbitrary: fc.constantFrom(...odd) },
    );
    const noise = fc.string({ unit, maxLength: 10 });
    const front = fc.constantFrom(
      ...["https://h/", "https://github.com/a/b", "https://gitlab.com/a/b", "http://h:81/", ""],
      ...["https://h/a/b", "https://h/projects/K/repos/r/browse", "ssh://git@h/", "git@h:"],
      ...["https://bitbucket.org/a/b", "https://codeberg.org/a/b", "file:///", "ext::", "-"],
      ...["https://", "ssh://"],
    );
    const middle = fc.constantFrom(
      ...["", ".git", "/tree/", "/-/tree/", ".git/tree/", "/src/branch/", "/src/", "/branch/"],
      ...["/commit/", "/blob/", "/releases/tag/", "/pull/", "/-/merge_requests/", "?at=", "/-/"],
    );
    const anyText = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.tuple(front, noise, middle, noise, noise).map((parts) => parts.join("")),
      fc.tuple(front, middle, noise).map((parts) => parts.join("")),
    );
    let read = 0;
    fc.assert(
      fc.property(anyText, (text) => {
        const refused = refusal(text);
        if (refused !== null) {
          if (!(refused instanceof OneloopError)) throw refused;
          expect(refused.code).toBe("context-url-invalid");
          return;
        }
        read += 1;
        const url = parseContextUrl(text);
        expect(parseContextUrl(text)).toEqual(url);
        expect(repositoryName(url)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/);
        for (const given of [url.remote, url.repositoryKey, url.path, url.host ?? "h"]) {
          expect(given).not.toMatch(unsafe);
        }
        expect(url.remote).toMatch(/^(https?|ssh|file):\/\/|^\w[\w.-]*@[\w.[\]:-]+:/);
        for (const { ref, path } of everyResolution(url.target)) {
          expect(ref?.replace(/^refs\/(heads|tags)\//, "") ?? "a").not.toMatch(unsafe);
          expect(path ?? "a").not.toMatch(unsafe);
        }
      }),
      { numRuns: 4000 },
    );
    expect(read).toBeGreaterThan(500);
  });
});

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const unsafe = /^-|[\u0000-\u001f\u007f-\u009f\u202e\\]|^$|(^|\/)\.\.(\/|$)/;

/** What `target` becomes for each ref that its text could name. */
function everyResolution(target: ReturnType<typeof parseContextUrl>["target"]) {
  const head = { ref: "refs/heads/main", commit: sha };
  if (target.kind !== "ref") {
    const refs = target.kind === "change" ? [{ name: target.ref, commit: sha }] : [];
    const cached = target.kind === "commit" ? [target.id.padEnd(40, "0")] : [];
    return [resolveRef({ refs, head }, target, cached)];
  }
  const segments = target.text.split("/");
  return segments.flatMap((_, index) => {
    const name = segments.slice(0, index + 1).join("/");
    return ["heads", "tags"].flatMap((space) => {
      try {
        const refs = [{ name: `refs/${space}/${name}`, commit: sha }];
        return [resolveRef({ refs, head }, target)];
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "ref-not-found" });
        return [];
      }
    });
  });
}

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
