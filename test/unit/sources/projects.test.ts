import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { wrongRemote, wrongRemoteName } from "../../../server/sources/devfile/git-remote.ts";
import { leftOut, marked, read, shown, wrong } from "./reading.ts";

/** A devfile whose projects' lines begin on line 3. */
function devfile(...projects: string[]): string {
  return ["schemaVersion: 2.2.2", "projects:", ...projects.map((line) => `  ${line}`)].join("\n");
}

const url = "https://example.org/a.git";

describe("a project", () => {
  test("is read with every field, at its place", () => {
    const { projects } = read(
      devfile(
        "- name: tool",
        "  clonePath: ./libs//tool/",
        "  git:",
        "    remotes:",
        `      origin: ${url}`,
        "      mine: git@example.org:me/a.git",
        "    checkoutFrom: {remote: mine, revision: feature/x}",
        "- name: plain",
        `  git: {remotes: {origin: ${url}}}`,
      ),
    );
    expect(projects).toMatchObject([
      {
        name: "tool",
        url: { value: "git@example.org:me/a.git", where: { line: 8, column: 15 } },
        remote: "mine",
        otherRemotes: [{ name: "origin", url: { value: url, where: { line: 7, column: 17 } } }],
        revision: { value: "feature/x", where: { line: 9, column: 46 } },
        clonePath: { value: "libs/tool", where: { line: 4, column: 16 } },
        where: { line: 3, column: 11 },
      },
      {
        name: "plain",
        url: { value: url },
        revision: { value: null },
        clonePath: { value: "plain" },
      },
    ]);
  });

  test("that is not checked out is named with its line", () => {
    const model = read(
      devfile(
        "- {name: z, zip: {location: a.zip}}",
        `- {name: a, attributes: {x: y}, git: {remotes: {origin: '${url}', fork: '${url}'}, checkoutFrom: {remote: origin}}}`,
      ).concat(`\nstarterProjects: [{name: s, git: {remotes: {origin: '${url}'}}}]`),
    );
    expect(model.projects.map(({ name }) => name)).toEqual(["a"]);
    expect(leftOut(model)).toEqual([
      '3 project "z" (zip)',
      '4 attributes of project "a"',
      '5 starter project "s"',
    ]);
  });

  test("of the oldest version may come from github, with sparse folders", () => {
    const text = `schemaVersion: 2.0.0\nprojects: [{name: a, sparseCheckoutDirs: [x], github: {remotes: {o: '${url}'}}}]`;
    expect(read(text).projects).toMatchObject([{ url: { value: url } }]);
    expect(leftOut(read(text))).toEqual(['2 sparseCheckoutDirs of project "a"']);
  });
});

describe("a mistake in a project", () => {
  const git = (inside: string): string => `- {name: a, git: {${inside}}}`;
  const remotes = `remotes: {origin: '${url}'}`;
  const two = `remotes: {one: '${url}', two: '${url}'}`;
  const at = (name: string, text: string): string =>
    `- {name: ${name}, clonePath: ${text}, git: {${remotes}}}`;
  test.each([
    ["no name", [`- ▸git: {${remotes}}`], "missing-key"],
    ["no source", ["- ▸{name: a}"], "no-project-kind"],
    ["two sources", [`- {name: a, git: {${remotes}}, ▸zip: {}}`], "two-project-kinds"],
    ["an unknown key", [git(`${remotes}, ▸branch: x`)], "unknown-key"],
    ["no remotes", ["- {name: a, git: ▸{}}"], "missing-key"],
    ["an empty map of remotes", [git("remotes: ▸{}")], "no-remote"],
    ["a remote without URL", [git("remotes: {▸o: }")], "missing-key"],
    ["no URL", [git("remotes: {o: ▸../sibling}")], "bad-url"],
    ["a credential", [git("remotes: {o: ▸'https://u:p@h/a'}")], "bad-url"],
    ["two remotes and no choice", [git(two.replace("{", "▸{"))], "no-checkout-remote"],
    [
      "two remotes and a revision",
      [git(`checkoutFrom: ▸{revision: x}, ${two}`)],
      "no-checkout-remote",
    ],
    ["a name that git refuses", [git(`remotes: {▸a..b: '${url}'}`)], "bad-remote-name"],
    ["a name that is an option", [git(`remotes: {▸--mirror: '${url}'}`)], "bad-remote-name"],
    ["a name with a break", [git(`remotes: {▸"a\\nb": '${url}'}`)], "bad-remote-name"],
    ["no name", [git(`remotes: {▸'': '${url}'}`)], "bad-remote-name"],
    [
      "a remote in another's folder",
      [git(`remotes: {a: '${url}', ▸a/b: '${url}'}, checkoutFrom: {remote: a}`)],
      "bad-remote-name",
    ],
    [
      "a remote that is none",
      [git(`checkoutFrom: {remote: ▸oirgin}, ${remotes}`)],
      "unknown-remote",
    ],
    [
      "a revision that is an option",
      [git(`checkoutFrom: {revision: ▸--x}, ${remotes}`)],
      "bad-revision",
    ],
    ["an absolute path", [at("a", "▸/etc")], "bad-path"],
    ["a path that climbs", [at("a", "▸a/../../b")], "bad-path"],
    ["the sources' own folder", [at("a", "▸./")], "bad-path"],
    ["a path in a .git folder", [at("a", "▸app/.GIT/hooks")], "bad-path"],
    ["two projects of one name", [at("a", "x"), at("▸a", "y")], "duplicate-project"],
    ["two of one path", [at("a", "x"), at("b", "▸./x")], "duplicate-path"],
    [
      "a name that is another's path",
      [at("a", "b"), `- {name: ▸b, git: {${remotes}}}`],
      "duplicate-path",
    ],
    ["two without names", [`- ▸git: {${remotes}}`, `- ▸git: {${remotes}}`], "missing-key"],
  ])("is reported at its place: %s", (_, projects, code) => {
    const { text, places } = marked(devfile(...projects));
    expect(wrong(text)).toEqual(places.map((place) => `${place} ${code}`));
  });

  test("is shown with a caret and what was meant", () => {
    const text = devfile(`- {name: a, git: {checkoutFrom: {remote: oirgin}, ${remotes}}}`);
    expect(shown(text)[0]).toBe(
      'devfile.yaml:3:44: unknown-remote: No remote is named "oirgin"; did you mean "origin"?',
    );
    expect(shown(text)[2]?.trimEnd().endsWith("^^^^^^")).toBe(true);
  });
});

test.each([
  ["https://example.org/acme/app.git", true],
  ["http://127.0.0.1:3000/app", true],
  ["ssh://git@example.org:2222/acme/app.git", true],
  ["git@example.org:acme/app.git", true],
  ["file:///srv/git/app.git", true],
  ["https://token@example.org/app", false],
  ["ssh://git:secret@example.org/app", false],
  ["https://example.org", false],
  ["https://example.org/", false],
  ["ext::sh -c id", false],
  ["ext::sh", false],
  ["x@ext::sh", false],
  ["git://example.org/app", false],
  ["--upload-pack=id", false],
  ["-x@example.org:a", false],
  ["a@-oProxyCommand=id:a", false],
  ["test-origin", false],
  ["", false],
])("%j may be fetched: %s", (text, right) => {
  expect(wrongRemote(text) === null).toBe(right);
});

test("a remote may have the names that git takes", () => {
  const names = ["origin", "a/b", "a.b", "a.", "@", "ü", "a-b_c", "a@b", "x.lockx", "A"];
  const refused = ["", ".a", "a/.b", "a..b", "a.lock", "a.lock/b", "a b", "a~", "a^", "a:b", "a?"];
  refused.push("a*", "a[", "a\\b", "a//b", "/a", "a/", "a@{b", "a\tb", "a\u007f");
  for (const name of [...names, ...refused]) {
    const { status } = spawnSync("git", ["check-ref-format", `refs/remotes/${name}/x`]);
    expect(`${name}: ${status === 0}`).toBe(`${name}: ${names.includes(name)}`);
    expect(`${name}: ${wrongRemoteName(name, []) === null}`).toBe(`${name}: ${status === 0}`);
  }
});
