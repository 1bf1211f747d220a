import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import type { DevfileDocument } from "../../../server/sources/devfile/flatten.ts";
import { mergeParts } from "../../../server/sources/devfile/merge.ts";
import { neededDocuments, readDevfile } from "../../../server/sources/devfile/read.ts";
import { parseTree } from "../../../server/sources/yaml/parse.ts";
import { SourceText } from "../../../server/sources/yaml/source-text.ts";
import { toPlain, type MapNode } from "../../../server/sources/yaml/tree.ts";

/** By their names, such as `devfile.yaml` or `https://example.org/parent.yaml`. */
type Texts = Readonly<Record<string, string>>;

function documentsOf(texts: Texts): Map<string, DevfileDocument> {
  return new Map(Object.entries(texts).map(([name, text]) => [name, { text }]));
}

function read(texts: Texts): SourceModel {
  const result = readDevfile(texts["devfile.yaml"] ?? "", "devfile.yaml", documentsOf(texts));
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  expect(result.warnings).toEqual([]);
  return result.model;
}

/** `file:line:column code` of everything that is wrong. */
function wrong(texts: Texts): string[] {
  const result = readDevfile(texts["devfile.yaml"] ?? "", "devfile.yaml", documentsOf(texts));
  const found = result.ok ? result.warnings : result.diagnostics;
  return found.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`);
}

const parent = `schemaVersion: 2.2.0
metadata: {name: the-parent}
variables: {tag: "1", port: "3000"}
components:
  - name: tools
    container:
      image: tools:{{tag}}
      memoryLimit: 1Gi
      env:
        - {name: A, value: parent}
        - {name: B, value: parent}
      endpoints:
        - {name: web, targetPort: 3000}
commands:
  - id: build
    exec: {component: tools, commandLine: make}
events:
  postStart: [build]
`;

const child = (lines: string): string => `schemaVersion: 2.2.2\nmetadata: {name: child}\n${lines}`;

describe("a parent", () => {
  test("gives what it has, each fact at its place in its own file", () => {
    const model = read({
      "devfile.yaml": child(`parent:
  uri: parent.yaml
  components:
    - name: tools
      container:
        image: own:{{tag}}
        env: [{name: B, value: child}, {name: C, value: child}]
commands:
  - id: test
    exec: {component: tools, commandLine: make test}
events: {postStart: [test]}
`),
      "parent.yaml": parent,
    });
    expect(model.name).toMatchObject({ value: "child" });
    const [tools] = model.services;
    expect(tools).toMatchObject({
      name: { value: "tools", where: { file: "parent.yaml", line: 5 } },
      image: { value: "own:1", where: { file: "devfile.yaml", line: 8, column: 16 } },
      memoryLimitBytes: { value: 2 ** 30, where: { file: "parent.yaml", line: 8, column: 20 } },
      env: {
        A: { value: { value: "parent" }, where: { file: "parent.yaml", line: 10 } },
        B: { value: { value: "child" }, where: { file: "devfile.yaml", line: 9 } },
        C: { value: { value: "child" }, where: { file: "devfile.yaml", line: 9 } },
      },
    });
    expect(model.tasks.map(({ name, where }) => `${name} ${formatPlace(where)}`)).toEqual([
      "build parent.yaml:15:9",
      "test devfile.yaml:11:9",
    ]);
  });

  test("has its mistakes in its own file, and so has what it overrides", () => {
    const found = wrong({
      "devfile.yaml": child(
        "parent: {uri: parent.yaml, components: [{name: tools, container: {memoryLimit: 2XB}}]}",
      ),
      "parent.yaml": parent.replace("commandLine: make", "commandLin: make"),
    });
    expect(found).toEqual([
      "devfile.yaml:3:80 bad-quantity",
      "parent.yaml:16:11 missing-key",
      "parent.yaml:16:30 unknown-key",
    ]);
  });

  test("may have a parent, named from where it stands itself", () => {
    const texts = {
      "devfile.yaml": child("parent: {uri: stacks/node/devfile.yaml}"),
      "stacks/node/devfile.yaml": "schemaVersion: 2.2.0\nparent: {uri: ../base.yaml}",
      "stacks/base.yaml": parent,
    };
    expect(read(texts).services[0]?.name.where).toMatchObject({ file: "stacks/base.yaml" });
  });

  test("by URL is the base of what it names; by id and version it is a registry's", () => {
    const needed = (text: string, texts: Texts = {}) =>
      neededDocuments(child(text), "devfile.yaml", documentsOf(texts)).map(
        ({ name, location, where }) => [name, location.kind, formatPlace(where)],
      );
    expect(needed("parent: {uri: 'https://example.org/a/devfile.yaml'}")).toEqual([
      ["https://example.org/a/devfile.yaml", "url", "devfile.yaml:3:15"],
    ]);
    expect(
      needed("parent: {uri: 'https://example.org/a/devfile.yaml'}", {
        "https://example.org/a/devfile.yaml": "schemaVersion: 2.0.0\nparent: {uri: ../b.yaml}",
      }),
    ).toEqual([["https://example.org/b.yaml", "url", "https://example.org/a/devfile.yaml:2:15"]]);
    expect(needed("parent: {id: nodejs}")).toEqual([
      ["registry:nodejs", "registry", "devfile.yaml:3:14"],
    ]);
    expect(
      needed("parent: {id: nodejs, version: 2.1.1, registryUrl: 'https://example.org/r/'}"),
    ).toEqual([["https://example.org/r#nodejs@2.1.1", "registry", "devfile.yaml:3:14"]]);
    expect(needed("parent: {uri: a.yaml}", { "a.yaml": parent })).toEqual([]);
  });

  test("in a cluster is named as not read; what may be in it is no mistake", () => {
    const model = read({
      "devfile.yaml": child(`parent: {kubernetes: {name: template}}
components: [{name: a, container: {image: a, volumeMounts: [{name: far}]}}]
commands: [{id: x, exec: {component: far, commandLine: x}}]
`),
    });
    expect(model.leftOut.map(({ what, where }) => `${formatPlace(where)} ${what}`)).toEqual([
      "devfile.yaml:3:22 the parent (kubernetes)",
      'devfile.yaml:5:17 command "x" (exec)',
    ]);
  });

  test.each([
    ["leads out of the repository", "../parent.yaml"],
    ["is a path of this machine", "/etc/passwd"],
    ["is a file URL", "file:///etc/passwd"],
    ["has another scheme", "ftp://example.org/devfile.yaml"],
    ["has no scheme, but a host", "//example.org/devfile.yaml"],
    ["has a credential in it", "https://me:secret@example.org/devfile.yaml"],
    ["is no URL", "https://exa mple.org"],
    ["is empty", ""],
  ])("whose uri %s is refused at its place", (_, uri) => {
    const text = child(`parent: {uri: ${JSON.stringify(uri)}}`);
    expect(wrong({ "devfile.yaml": text })).toEqual(["devfile.yaml:3:15 bad-uri"]);
  });

  test("that could not be had is reported at the line that names it, with the reason", () => {
    const text = child("parent: {uri: parent.yaml}");
    const documents = new Map([["parent.yaml", { failure: "No such file." }]]);
    const result = readDevfile(text, "devfile.yaml", documents);
    expect(result.ok ? [] : result.diagnostics).toMatchObject([
      { line: 3, column: 15, code: "unreadable-import", message: "No such file." },
    ]);
    expect(wrong({ "devfile.yaml": text })).toEqual(["devfile.yaml:3:15 unread-import"]);
  });

  test.each([
    ["itself", { "devfile.yaml": "parent: {uri: ./devfile.yaml}" }, "devfile.yaml:3:15"],
    [
      "one that leads back",
      { "devfile.yaml": "parent: {uri: a/b.yaml}", "a/b.yaml": "parent: {uri: ../devfile.yaml}" },
      "a/b.yaml:3:15",
    ],
  ])("that is %s is a cycle", (_, texts, place) => {
    const all = Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, child(text)]),
    );
    expect(wrong(all)).toEqual([`${place} import-cycle`]);
  });

  test("of a later version is a mistake, of an earlier one none", () => {
    const main = child("parent: {uri: parent.yaml}");
    const of = (version: string) =>
      wrong({ "devfile.yaml": main, "parent.yaml": parent.replace("2.2.0", version) });
    expect(of("2.3.0")).toEqual(["devfile.yaml:3:15 newer-version"]);
    expect(of("2.2.2")).toEqual([]);
    expect(of("2.1.0")).toEqual([]);
  });

  test("is held to its own version's rules", () => {
    const main = child("parent: {uri: parent.yaml}");
    const old = parent.replace("2.2.0", "2.0.0");
    expect(wrong({ "devfile.yaml": main, "parent.yaml": old })).toEqual([
      "parent.yaml:3:1 key-of-later-version",
    ]);
  });

  test.each([
    ["a component", "components: [{name: tools, container: {image: x}}]", "4:21"],
    ["a command", "commands: [{id: build, exec: {component: tools, commandLine: x}}]", "4:17"],
    ["a variable", "variables: {tag: '2'}", "4:13"],
  ])("cannot have %s that the main file has, too", (_, lines, place) => {
    const texts = {
      "devfile.yaml": child(`parent: {uri: parent.yaml}\n${lines}`),
      "parent.yaml": parent,
    };
    expect(wrong(texts)[0]).toBe(`devfile.yaml:${place} already-taken-in`);
  });

  test.each([
    ["a component", "components: [{name: tool, volume: {}}]", "3:48 overrides-nothing"],
    ["a command", "commands: [{id: buil, apply: {}}]", "3:44 overrides-nothing"],
    ["a variable", "variables: {tags: '2'}", "3:40 overrides-nothing"],
    ["a project", "projects: [{name: p, git: {}}]", "3:46 overrides-nothing"],
  ])("is overridden only where it has %s", (_, overrides, expected) => {
    const texts = {
      "devfile.yaml": child(`parent: {uri: parent.yaml, ${overrides}}`),
      "parent.yaml": parent,
    };
    expect(wrong(texts)).toEqual([`devfile.yaml:${expected}`]);
  });

  test("twenty deep is enough", () => {
    const texts: Record<string, string> = { "devfile.yaml": child("parent: {uri: p0.yaml}") };
    for (let at = 0; at < 30; at += 1)
      texts[`p${at}.yaml`] = child(`parent: {uri: p${at + 1}.yaml}`);
    expect(wrong(texts)).toEqual(["p19.yaml:3:15 too-many-imports"]);
  });
});

describe("a plugin", () => {
  const main = `schemaVersion: 2.0.0
parent: {uri: parent.yaml}
components:
  - name: own
    container: {image: own}
  - name: plugin-one
    plugin:
      uri: first.yaml
      components: [{name: first, container: {image: changed}}]
  - name: plugin-two
    plugin: {uri: second.yaml}
commands:
  - {id: z, exec: {component: own, commandLine: z}}
events: {postStart: [z, a]}
`;
  const plugin = (name: string, event: string): string => `schemaVersion: 2.0.0
components: [{name: ${name}, container: {image: ${name}}}]
commands: [{id: ${event}, exec: {component: ${name}, commandLine: ${event}}}]
events: {postStart: [${event}]}
`;

  test("comes after the parent and before the main file, overridden where it stands", () => {
    const model = read({
      "devfile.yaml": main,
      "parent.yaml": plugin("of-parent", "a"),
      "first.yaml": plugin("first", "b"),
      "second.yaml": plugin("second", "c"),
    });
    const places = model.services.map(({ name, image }) =>
      [name, image].map((fact) => fact.known && `${fact.value} ${formatPlace(fact.where)}`),
    );
    expect(places).toEqual([
      ["of-parent parent.yaml:2:21", "of-parent parent.yaml:2:51"],
      ["first first.yaml:2:21", "changed devfile.yaml:9:53"],
      ["second second.yaml:2:21", "second second.yaml:2:48"],
      ["own devfile.yaml:4:11", "own devfile.yaml:5:24"],
    ]);
    // Each once, where it was named first.
    expect(model.tasks.map(({ name }) => name)).toEqual(["a", "b", "c", "z"]);
  });

  test("ended with version 2.1.0", () => {
    expect(
      wrong({
        "devfile.yaml": child("components: [{name: p, plugin: {uri: p.yaml}}]"),
        "p.yaml": plugin("x", "y"),
      }),
    ).toContain("devfile.yaml:3:24 key-of-earlier-version");
  });

  test("that gives the same component as another is reported", () => {
    const texts = {
      "devfile.yaml": main,
      "parent.yaml": plugin("first", "a"),
      "first.yaml": plugin("first", "b"),
      "second.yaml": plugin("second", "c"),
    };
    expect(wrong(texts)).toEqual(["first.yaml:2:21 duplicate-component"]);
  });
});

test("a variable that overrides a parent's counts in the parent's own text, too", () => {
  const of = (value: string, name: string): string =>
    `schemaVersion: 2.1.0\nvariables: {who: ${value}}\ncomponents: [{name: ${name}, container: {image: "{{who}}"}}]`;
  const middle = "schemaVersion: 2.1.0\nparent: {uri: a.yaml, variables: {who: middle}}";
  const model = read({
    "devfile.yaml": child("parent: {uri: middle.yaml}"),
    "middle.yaml": middle,
    "a.yaml": of("first", "a"),
  });
  expect(model.services[0]?.image).toMatchObject({
    value: "middle",
    where: { file: "a.yaml", line: 3 },
  });
});

test("an attribute that overrides a parent's counts, with its own place", () => {
  const attributes = "attributes: {mirror: compose.yaml, develop: api}";
  const model = read({
    "devfile.yaml": child("parent: {uri: a.yaml, attributes: {mirror: k8s/}}"),
    "a.yaml": `schemaVersion: 2.2.2\n${attributes}\ncomponents: [{name: a, container: {image: a}}]`,
  });
  expect(model.mirror).toMatchObject({
    source: { value: "k8s/", where: { file: "devfile.yaml", line: 3 } },
    develop: { value: ["api"], where: { file: "a.yaml", line: 2 } },
  });
});

/** Devfiles with variables have no plugins any more, and templates have both. */
test("of variables and attributes with one name in a parent and plugins the later counts", () => {
  const tree = (text: string, file: string): MapNode => {
    const parsed = parseTree(new SourceText(text, file));
    if (parsed?.kind !== "map") throw new Error(`${file} is no map`);
    return parsed;
  };
  const of = (name: string, more = ""): string =>
    `variables: {who: ${name}, of-${name}: x${more}}\nattributes: {who: [${name}], of-${name}: x}\n`;
  const taken = [
    ["the parent", of("parent", ", both: parent")],
    ['plugin "a"', of("a", ", both: a")],
    ['plugin "b"', of("b")],
  ] as const;
  const main = tree("variables: {own: main}\nattributes: {own: main}\n", "devfile.yaml");
  const merge = (order: readonly number[]): unknown =>
    toPlain(
      mergeParts({
        main,
        takenIn: order.flatMap((at) => {
          const [from, text] = taken[at] ?? [];
          return from === undefined ? [] : [{ from, content: tree(text ?? "", from) }];
        }),
        replaced: new Set(),
      }),
    );
  const own = { "of-parent": "x", "of-a": "x", "of-b": "x", own: "main" };
  expect(merge([0, 1, 2])).toEqual({
    variables: { ...own, who: "b", both: "a" },
    attributes: { ...own, who: ["b"] },
  });
  expect(merge([2, 1, 0])).toEqual({
    variables: { ...own, who: "parent", both: "parent" },
    attributes: { ...own, who: ["parent"] },
  });
});
