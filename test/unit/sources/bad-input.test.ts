import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../../server/protocol/errors.ts";
import { SourceModel } from "../../../server/protocol/source-model.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { laughs, mergeBomb } from "./bombs.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

/** A person waits: more is no answer. */
const promisedMs = 5000;
const mebibyte = 1024 * 1024;

function errorsOf(text: string): readonly Diagnostic[] {
  const result = readDevfile(text, "devfile.yaml");
  return result.ok ? [] : result.diagnostics.filter(({ severity }) => severity === "error");
}

const head = "schemaVersion: 2.2.2\ncomponents:\n  - name: a\n    container:\n      image: a\n";

const inputs: readonly [string, () => string, string][] = [
  ["a bomb of aliases", () => laughs, "too-many-nodes"],
  ["a bomb of merge keys", () => mergeBomb, "too-many-nodes"],
  ["an alias inside its own anchor", () => `${head}      env: &a [*a]`, "alias-cycle"],
  ["10 MB of comments", () => `${head}${"# text\n".repeat(1.5 * mebibyte)}`, "file-too-large"],
  ["10 MB of one line", () => "x".repeat(10 * mebibyte), "file-too-large"],
  [
    "10 MB of devfile",
    () => head + "  - {name: b, container: {image: b}}\n".repeat(300_000),
    "file-too-large",
  ],
  [
    "1 MB of keys",
    () => Array.from({ length: 100_000 }, (_, at) => `k${at}: v`).join("\n"),
    "unsupported",
  ],
  ["1 MB of one key", () => "k: v\n".repeat(200_000), "file-too-large"],
  ["1 MB of commas", () => `[${",".repeat(mebibyte - 10)}`, "file-too-large"],
  ["1 MB of brackets", () => "[".repeat(mebibyte - 10), "too-deep"],
  ["1 MB of braces", () => "{a: ".repeat(250_000), "too-deep"],
  [
    "deep indentation",
    () => Array.from({ length: 1000 }, (_, at) => `${" ".repeat(at)}a:`).join("\n"),
    "too-deep",
  ],
  ["deep lists", () => `${head}x: ${"- ".repeat(100_000)}`, "file-too-large"],
  ["1 MB of quotes", () => `"${'\\"'.repeat(500_000)}x`, "yaml-syntax"],
  ["a tab as indentation", () => `${head}\tenv: []`, "yaml-syntax"],
  ["a key that stands twice", () => `${head}      image: b`, "duplicate-key"],
  [
    "a key that stands twice in brackets",
    () => `${head}      env: [{name: a, name: b, value: c}]`,
    "duplicate-key",
  ],
  [
    "UTF-16, as a reader of UTF-8 sees it",
    () => Buffer.from(`\uFEFF${head}`, "utf16le").toString("utf8"),
    "not-utf-8",
  ],
  ["UTF-16 without a mark", () => Buffer.from(head, "utf16le").toString("utf8"), "not-utf-8"],
  [
    "UTF-16, the other end first",
    () => Buffer.from(`\uFEFF${head}`, "utf16le").swap16().toString("utf8"),
    "not-utf-8",
  ],
  ["a program", () => Buffer.from("7f454c4602010100000000", "hex").toString("latin1"), "not-utf-8"],
  ["nothing", () => "", "empty-file"],
  ["blanks", () => " \n\n ", "empty-file"],
  ["only comments", () => "# nothing\n", "empty-file"],
  ["a list", () => "- a\n- b", "wrong-type"],
  ["a word", () => "devfile", "wrong-type"],
  ["a long variable, used often", () => longVariable(), "too-much-text"],
  ["many commands in each other", () => nested(), "too-many-tasks"],
];

function longVariable(): string {
  const env = Array.from({ length: 500 }, (_, at) => `{name: A${at}, value: "{{v}}{{v}}{{v}}"}`);
  return `schemaVersion: 2.2.2\nvariables: {v: ${"x".repeat(100_000)}}\ncomponents: [{name: a, container: {image: a, env: [${env.join(", ")}]}}]`;
}

function nested(): string {
  const commands = Array.from({ length: 60 }, (_, at) =>
    at === 0
      ? "{id: c0, exec: {component: a, commandLine: x}}"
      : `{id: c${at}, composite: {commands: [c${at - 1}, c${at - 1}]}}`,
  );
  return `${head}commands: [${commands.join(", ")}]\nevents: {postStart: [c59]}`;
}

describe("bad input", () => {
  test.each(inputs)("%s: a clear error, in time and within bounds", (name, make, code) => {
    const text = make();
    const before = process.memoryUsage().rss;
    const tookMs = stopwatch();
    const errors = errorsOf(text);
    expect(tookMs()).toBeLessThan(promisedMs);
    expect(process.memoryUsage().rss - before).toBeLessThan(700 * mebibyte);
    const codes = errors.map((each) => each.code);
    if (code === "unsupported") expect(codes.length).toBeGreaterThan(0);
    else expect(codes, name).toContain(code);
    expect(errors.length).toBeLessThanOrEqual(100);
  });

  test.each([
    ["a byte order mark", `\uFEFF${head}`],
    ["line ends of Windows", head.replaceAll("\n", "\r\n")],
    ["both", `\uFEFF${head}`.replaceAll("\n", "\r\n")],
  ])("%s is none: places are as an editor shows them", (_, text) => {
    const result = readDevfile(text, "devfile.yaml");
    expect(result.ok && result.model.services[0]?.image).toMatchObject({
      value: "a",
      where: { line: 5, column: 14 },
    });
    const wrong = errorsOf(text.replace("schemaVersion", "schemaVersio"));
    expect(wrong).toMatchObject([{ line: 1, column: 1, code: "missing-key" }]);
    expect(wrong[0]?.excerpt).toBe("schemaVersio: 2.2.2");
  });
});

/** Every error is in the file, and shows the line it is about. */
function expectPlaces(text: string, errors: readonly Diagnostic[]): void {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  for (const { file, line, column, length, message, code } of errors) {
    expect(file).toBe("devfile.yaml");
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
    expect(length).toBeGreaterThanOrEqual(1);
    expect(message).toMatch(/^.{10,400}$/);
    expect(code).toMatch(/^[a-z0-9-]+$/);
  }
}

const everything = `${head}      command: [sh]
      args: ["-c", 'x']
      env: [{name: A, value: b}]
      memoryLimit: 1Gi
      volumeMounts: [{name: data, path: /d}]
      endpoints: [{name: web, targetPort: 80, exposure: public, attributes: {a: b}}]
  - name: data
    volume: {size: 1Gi, ephemeral: true}
  - name: k
    kubernetes: {inlined: "x", endpoints: [{name: k, targetPort: 81}]}
  - name: i
    image: {imageName: i, dockerfile: {uri: Dockerfile, args: [x]}}
variables: {v: w}
attributes: {a: {b: [c]}}
commands:
  - id: one
    exec: {component: a, commandLine: "{{v}}", group: {kind: build, isDefault: true}}
  - id: two
    apply: {component: i}
  - id: both
    composite: {commands: [one, one], parallel: true}
events: {postStart: [both], preStart: [two]}
projects: [{name: p, clonePath: q, git: {remotes: {o: "https://example.org/p.git"}}}]
starterProjects: [{name: s, zip: {location: x}}]
`;

/** Signs and words that mean something to YAML or to a devfile. */
const pieces = [
  ..."\n|  |: |- |[|]|{|}|,|&a|*a|!t |\"|'|>|#|---\n|<<: *a\n|? |%|\t|\r\n|~|null|true|1e999|0x1|{{v}}|{{|}}|{{x}}".split(
    "|",
  ),
  ..."name|container|exec|components:|commands:|events:|parent: {uri: x}|plugin|\uFEFF|\0|\ud800|é|\u2028".split(
    "|",
  ),
  "|",
];

describe("a fuzz run that is the same each time", { timeout: 60_000 }, () => {
  const seed = 20_260_101;

  test("no change of a devfile crashes the reader, and each mistake has a place", () => {
    let wrong = 0;
    const change = fc.tuple(
      fc.nat(everything.length),
      fc.nat(30),
      fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: "binary", maxLength: 5 })),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        let text = everything;
        for (const [at, cut, put] of changes) text = text.slice(0, at) + put + text.slice(at + cut);
        const result = readDevfile(text, "devfile.yaml");
        if (result.ok) SourceModel.parse(result.model);
        else {
          wrong += 1;
          expect(result.diagnostics.some(({ severity }) => severity === "error")).toBe(true);
          expectPlaces(text, result.diagnostics);
        }
      }),
      { seed, numRuns: 400 },
    );
    expect(wrong).toBeGreaterThan(100);
  });

  test("nor does any tree of known and unknown keys with values of any kind", () => {
    const words = everything.match(/[A-Za-z]+(?=:)/g) ?? [];
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom(null, true, 1, -1.5, "", "a", "A", "1Gi", "../x", "{{v}}", "a".repeat(70)),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...words, "__proto__", "constructor", "x"), tie("value"), {
          maxKeys: 5,
        }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...words), tree), (top) => {
        const text = JSON.stringify({ schemaVersion: "2.2.2", ...top });
        const result = readDevfile(text, "devfile.yaml");
        if (result.ok) SourceModel.parse(result.model);
        else expectPlaces(text, result.diagnostics);
      }),
      { seed, numRuns: 600 },
    );
  });

  test("the whole that is changed is right itself", () => {
    expect(errorsOf(everything)).toEqual([]);
  });
});
