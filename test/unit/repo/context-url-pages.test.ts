import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseContextUrl } from "../../../server/repo/context-url.ts";
import { isRefName } from "../../../server/repo/ref-name.ts";
import { resolveRef, type RemoteRef, type Resolved } from "../../../server/repo/resolve-ref.ts";

const commit = (digit: string) => digit.repeat(40);
const head = { ref: "refs/heads/main", commit: commit("1") };

/** Words that a page begins with; a group that is called so is told from a page by `/-/` only. */
const words = new Set(
  ["tree", "blob", "raw", "blame", "commits", "commit", "src", "branch", "pull", "pulls", "tags"]
    .concat(["merge_requests", "pull-requests", "releases", "projects", "users", "repos", "refs"])
    .concat(["tag"]),
);

const plainName = fc
  .stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,12}$/)
  .filter((name) => !words.has(name) && !/\.(git|lock)$/i.test(name) && !name.includes(".."));
const refPart = fc
  .oneof(
    fc.string({
      unit: fc.constantFrom(...Array.from("abcXYZ019-_.+@#%&=!$'(),;é日🚀")),
      minLength: 1,
      maxLength: 10,
    }),
    fc.stringMatching(/^[0-9a-f]{7,12}$/),
  )
  .filter((part) => isRefName(part) && !words.has(part));
const branchName = fc
  .array(refPart, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"));
const filePath = fc
  .array(
    fc
      .string({
        unit: fc.constantFrom(...Array.from("abc.-_ []é%+~^:*?#日")),
        minLength: 1,
        maxLength: 8,
      })
      .filter((part) => part !== "." && part !== ".."),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) => parts.join("/"))
  .filter((path) => !path.startsWith("-"));
const fullId = fc.stringMatching(/^[0-9a-f]{40}$/);

interface Given {
  owner: string;
  repo: string;
  groups: string[];
  name: string;
  path: string;
  id: string;
  number: number;
  /** The name with its slashes encoded too. */
  whole: boolean;
  host: string;
}

const given: fc.Arbitrary<Given> = fc.record({
  owner: plainName,
  repo: plainName,
  groups: fc.array(plainName, { minLength: 1, maxLength: 5 }),
  name: branchName,
  path: filePath,
  id: fullId,
  number: fc.integer({ min: 1, max: 999_999_999 }),
  whole: fc.boolean(),
  host: fc.constantFrom(
    "git.example.org",
    "localhost:3000",
    "10.1.2.3",
    "[::1]:8443",
    "gitlab.corp",
  ),
});

const encode = (text: string) => text.split("/").map(encodeURIComponent).join("/");

interface Shape {
  readonly what: string;
  readonly hosts: readonly ("known" | "any")[];
  /** Behind the repository's URL. */
  readonly page: (given: Given & { ref: string; file: string }) => string;
  /** What it names there. */
  readonly names: "branch" | "tag" | "commit" | "pull" | "merge-request" | "bitbucket-request";
  readonly path: boolean;
}

const both = ["known", "any"] as const;
const shape = (
  what: string,
  page: Shape["page"],
  more: Partial<Pick<Shape, "names" | "path" | "hosts">> = {},
): Shape => ({ what, page, hosts: both, names: "branch", path: false, ...more });

const named: Record<"github" | "gitlab" | "bitbucket" | "gitea", Shape[]> = {
  github: [
    shape("a branch", ({ ref }) => `/tree/${ref}`),
    shape("a folder", ({ ref, file }) => `/tree/${ref}/${file}`, { path: true }),
    shape("a full ref", ({ ref }) => `/tree/refs/heads/${ref}`),
    shape("a file", ({ ref, file }) => `/blob/${ref}/${file}?plain=1#L3`, { path: true }),
    shape("a raw file", ({ ref, file }) => `/raw/refs/heads/${ref}/${file}`, { path: true }),
    shape("blame", ({ ref, file }) => `/blame/${ref}/${file}`, { path: true }),
    shape("a branch's commits", ({ ref }) => `/commits/${ref}/`),
    shape("a commit", ({ id }) => `/commit/${id}`, { names: "commit" }),
    shape("a pull request", ({ number }) => `/pull/${number}`, { names: "pull" }),
    shape("its files", ({ number }) => `/pull/${number}/files#diff-1`, { names: "pull" }),
    shape("its commits", ({ number }) => `/pull/${number}/commits`, { names: "pull" }),
    shape("its commit", ({ number, id }) => `/pull/${number}/commits/${id}`, { names: "commit" }),
    shape("a release", ({ ref }) => `/releases/tag/${ref}`, { names: "tag" }),
  ],
  gitlab: [
    shape("a branch", ({ ref }) => `/-/tree/${ref}`),
    shape("a branch by its type", ({ ref }) => `/-/tree/${ref}?ref_type=heads`),
    shape("a tag by its type", ({ ref }) => `/-/tree/${ref}?ref_type=tags`, { names: "tag" }),
    shape("a folder", ({ ref, file }) => `/-/tree/${ref}/${file}`, { path: true }),
    shape("a file", ({ ref, file }) => `/-/blob/${ref}/${file}?ref_type=heads#L1-3`, {
      path: true,
    }),
    shape("a raw file", ({ ref, file }) => `/-/raw/${ref}/${file}`, { path: true }),
    shape("a branch's commits", ({ ref }) => `/-/commits/${ref}`),
    shape("a commit", ({ id }) => `/-/commit/${id}`, { names: "commit" }),
    shape("a tag", ({ ref }) => `/-/tags/${ref}`, { names: "tag" }),
    shape("a release", ({ ref }) => `/-/releases/${ref}`, { names: "tag" }),
    shape("a request", ({ number }) => `/-/merge_requests/${number}`, { names: "merge-request" }),
    shape("its changes", ({ number }) => `/-/merge_requests/${number}/diffs`, {
      names: "merge-request",
    }),
    shape("an older branch", ({ ref }) => `/tree/${ref}`, { hosts: ["known"] }),
    shape("an older file", ({ ref, file }) => `/blob/${ref}/${file}`, {
      hosts: ["known"],
      path: true,
    }),
    shape("an older commit", ({ id }) => `/commit/${id}`, { hosts: ["known"], names: "commit" }),
    shape("an older request", ({ number }) => `/merge_requests/${number}`, {
      hosts: ["known"],
      names: "merge-request",
    }),
  ],
  bitbucket: [
    shape("a branch", ({ ref }) => `/src/${ref}/`),
    shape("a file", ({ ref, file }) => `/src/${ref}/${file}`, { path: true }),
    shape("a branch's page", ({ ref }) => `/branch/${ref}`),
    shape("a branch's commits", ({ ref }) => `/commits/branch/${ref}`),
    shape("a commit", ({ id }) => `/commits/${id}`, { names: "commit" }),
    shape("a request", ({ number }) => `/pull-requests/${number}`, { names: "bitbucket-request" }),
    shape("its changes", ({ number }) => `/pull-requests/${number}/diff`, {
      names: "bitbucket-request",
    }),
  ],
  gitea: [
    shape("a branch", ({ ref }) => `/src/branch/${ref}`),
    shape("a file", ({ ref, file }) => `/src/branch/${ref}/${file}#L3`, { path: true }),
    shape("a tag", ({ ref }) => `/src/tag/${ref}`, { names: "tag" }),
    shape("a tag's file", ({ ref, file }) => `/src/tag/${ref}/${file}`, {
      names: "tag",
      path: true,
    }),
    shape("a commit's tree", ({ id }) => `/src/commit/${id}`, { names: "commit" }),
    shape("a commit's file", ({ id, file }) => `/src/commit/${id}/${file}`, {
      names: "commit",
      path: true,
    }),
    shape("a raw file", ({ ref, file }) => `/raw/branch/${ref}/${file}`, { path: true }),
    shape("a branch's commits", ({ ref }) => `/commits/branch/${ref}`),
    shape("a commit", ({ id }) => `/commit/${id}`, { names: "commit" }),
    shape("a request", ({ number }) => `/pulls/${number}`, { names: "pull" }),
    shape("its files", ({ number }) => `/pulls/${number}/files`, { names: "pull" }),
    shape("a release", ({ ref }) => `/releases/tag/${ref}`, { names: "tag" }),
  ],
};

const server: Shape[] = [
  shape("a branch", ({ ref }) => `/browse?at=refs%2Fheads%2F${encodeURIComponent(ref)}`),
  shape(
    "a file",
    ({ ref, file }) => `/browse/${file}?at=${encodeURIComponent(`refs/heads/${ref}`)}`,
    {
      path: true,
    },
  ),
  shape("a branch by its name", ({ ref }) => `/browse?at=${encodeURIComponent(ref)}`),
  shape("a tag", ({ ref }) => `/browse?at=${encodeURIComponent(`refs/tags/${ref}`)}`, {
    names: "tag",
  }),
  shape("a commit", ({ id }) => `/commits/${id}`, { names: "commit" }),
  shape("a commit's tree", ({ id }) => `/browse?at=${id}`, { names: "commit" }),
  shape("a request", ({ number }) => `/pull-requests/${number}/overview`, {
    names: "bitbucket-request",
  }),
];

/** A repository in which the names next to the wanted one exist too, at other commits. */
function refsAround({ name, number }: Given): RemoteRef[] {
  const [first = ""] = name.split("/");
  return [
    { name: "refs/heads/zz-other", commit: commit("2") },
    { name: `refs/heads/${name}-x`, commit: commit("3") },
    { name: `refs/heads/${name}`, commit: commit("a") },
    { name: `refs/tags/${name}`, commit: commit("4") },
    { name: `refs/tags/${name}^{}`, commit: commit("b") },
    ...(first === name ? [] : [{ name: `refs/tags/${first}`, commit: commit("5") }]),
    { name: `refs/pull/${number}/head`, commit: commit("c") },
    { name: `refs/merge-requests/${number}/head`, commit: commit("d") },
    { name: `refs/pull-requests/${number}/from`, commit: commit("e") },
  ];
}

function expected({ names, path }: Shape, given: Given): Resolved {
  const at = { path: path ? given.path : null };
  switch (names) {
    case "branch":
      return { ref: `refs/heads/${given.name}`, commit: commit("a"), ...at };
    case "tag":
      return { ref: `refs/tags/${given.name}`, commit: commit("b"), ...at };
    case "commit":
      return { ref: null, commit: given.id, ...at };
    case "pull":
      return { ref: `refs/pull/${given.number}/head`, commit: commit("c"), ...at };
    case "merge-request":
      return { ref: `refs/merge-requests/${given.number}/head`, commit: commit("d"), ...at };
    case "bitbucket-request":
      return { ref: `refs/pull-requests/${given.number}/from`, commit: commit("e"), ...at };
  }
}

function check(shape: Shape, given: Given, url: { base: string; remote: string; raw?: boolean }) {
  const escape = url.raw === true ? (text: string) => text : encode;
  const ref = given.whole && url.raw !== true ? encodeURIComponent(given.name) : escape(given.name);
  const page = shape.page({ ...given, ref, file: escape(given.path) });
  const parsed = parseContextUrl(url.base + page);
  expect(parsed.remote).toBe(url.remote);
  expect(resolveRef({ refs: refsAround(given), head }, parsed.target)).toEqual(
    expected(shape, given),
  );
}

const hostOf = {
  github: "github.com",
  gitlab: "gitlab.com",
  bitbucket: "bitbucket.org",
  gitea: "codeberg.org",
};

const cases = (["github", "gitlab", "bitbucket", "gitea"] as const).flatMap((provider) =>
  named[provider].flatMap((shape) => shape.hosts.map((where) => ({ provider, shape, where }))),
);

describe("every page of a git host leads to the ref that it shows", () => {
  test.each(cases.map((each) => [each.provider, each.shape.what, each.where, each] as const))(
    "%s: %s, on a host that is %s",
    (_, __, where, { provider, shape }) => {
      fc.assert(
        fc.property(given, (given) => {
          const host = where === "known" ? hostOf[provider] : given.host;
          const path =
            provider === "gitlab"
              ? [...given.groups, given.repo].join("/")
              : `${given.owner}/${given.repo}`;
          const base = `https://${host}/${path}`;
          const remote = host === "gitlab.com" ? `${base}.git` : base;
          check(shape, given, { base, remote });
        }),
        { numRuns: 100 },
      );
    },
  );

  test.each(server.map((shape) => [shape.what, shape] as const))(
    "Bitbucket Server: %s",
    (_, shape) => {
      fc.assert(
        fc.property(given, fc.constantFrom("", "/context"), (given, prefix) => {
          const root = `https://${given.host}${prefix}`;
          check(
            shape,
            // Its own encoding of `at` encodes the name once, as a whole.
            { ...given, whole: false, name: given.name.replaceAll(/[^A-Za-z0-9/-]/g, "x") },
            {
              base: `${root}/projects/${given.owner}/repos/${given.repo}`,
              remote: `${root}/scm/${given.owner.toLowerCase()}/${given.repo}.git`,
            },
          );
        }),
        { numRuns: 100 },
      );
    },
  );

  const marked = named.gitlab
    .concat(named.gitea.map((each) => ({ ...each, page: suffix(each.page) })))
    .filter(({ hosts, what }) => hosts.includes("any") && !/type|raw|'s commits/.test(what));
  test.each(marked.map((shape) => [shape.what, shape] as const))(
    "a repository of any kind of URL, behind a mark: %s",
    (_, shape) => {
      fc.assert(
        fc.property(given, fc.constantFrom("ssh", "scp", "file"), (given, kind) => {
          const path = [...given.groups, given.repo].join("/");
          const front = { ssh: "ssh://git@host:2222/", scp: "git@host:", file: "file:///srv/" };
          const base = `${front[kind]}${path}`;
          const bare = withoutExtras(shape);
          if (kind !== "scp") check(bare, given, { base, remote: base });
          else if (!/\s/.test(given.path)) check(bare, given, { base, remote: base, raw: true });
        }),
        { numRuns: 100 },
      );
    },
  );
});

/** Gitea's pages behind the mark. */
function suffix(page: Shape["page"]): Shape["page"] {
  return (given) => `/-${page(given)}`;
}

/** URLs that are no pages have neither query nor fragment. */
function withoutExtras(shape: Shape): Shape {
  return {
    ...shape,
    page: (given) => {
      const mark = "\u0001";
      const text = shape.page({ ...given, ref: `${mark}r`, file: `${mark}f` });
      return text
        .replace(/[?#].*$/, "")
        .replace(`${mark}r`, () => given.ref)
        .replace(`${mark}f`, () => given.file);
    },
  };
}
