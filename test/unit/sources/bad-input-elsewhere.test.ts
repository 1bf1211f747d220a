import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../../server/protocol/errors.ts";
import { SourceModel } from "../../../server/protocol/source-model.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";
import { readHeroku } from "../../../server/sources/heroku/read.ts";
import { readKubernetes } from "../../../server/sources/kubernetes/read.ts";
import type { ReadResult } from "../../../server/sources/result.ts";
import { laughs, mergeBomb } from "./bombs.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

/** A person waits: more is no answer. */
const promisedMs = 5000;
const mebibyte = 1024 * 1024;
const maxMemoryBytes = 700 * mebibyte;

interface Reader {
  readonly read: (text: string) => ReadResult;
  /** A right text with one service, of image `app`, to whose last map more can be added. */
  readonly head: string;
  /** What stands before another key of that map. */
  readonly indent: string;
  /** Many right services, of at least 10 MB. */
  readonly large: () => string;
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: app
`;

const readers: Readonly<Record<string, Reader>> = {
  compose: {
    read: (text) =>
      readCompose(["file.yaml"], { read: (path) => (path === "file.yaml" ? text : null) }),
    head: "services:\n  web:\n    image: app\n",
    indent: "    ",
    large: () => {
      const many = Array.from({ length: 600_000 }, (_, at) => `  s${at}: {image: app}\n`);
      return `services:\n${many.join("")}`;
    },
  },
  kubernetes: {
    read: (text) => readKubernetes([{ path: "file.yaml", text }]),
    head: deployment,
    indent: "          ",
    large: () =>
      Array.from({ length: 50_000 }, (_, at) => deployment.replaceAll("web", `w${at}`)).join(
        "---\n",
      ),
  },
};

const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");

const inputs: readonly [string, (reader: Reader) => string, string][] = [
  ["a bomb of aliases", ({ head }) => `${head}${laughs}\n`, "too-many-nodes"],
  ["a bomb of merge keys", ({ head }) => `${head}${mergeBomb}\n`, "too-many-nodes"],
  [
    "an alias in its own anchor",
    ({ head, indent }) => `${head}${indent}env: &a [*a]`,
    "alias-cycle",
  ],
  ["10 MB of services", ({ large }) => large(), "file-too-large"],
  ["10 MB of comments", ({ head }) => head + "# text\n".repeat(1.5 * mebibyte), "file-too-large"],
  ["10 MB of one line", () => "x".repeat(10 * mebibyte), "file-too-large"],
  ["1 MB of brackets", () => "[".repeat(mebibyte - 10), "too-deep"],
  ["1 MB of braces", () => "{a: ".repeat(250_000), "too-deep"],
  [
    "deep indentation",
    ({ head }) => head + Array.from({ length: 1000 }, (_, at) => `${" ".repeat(at)}a:`).join("\n"),
    "too-deep",
  ],
  ["1 MB of quotes", () => `"${'\\"'.repeat(500_000)}x`, "yaml-syntax"],
  ["a tab as indentation", ({ head }) => `${head}\tenv: {}`, "yaml-syntax"],
  ["a key that stands twice", ({ head, indent }) => `${head}${indent}image: b`, "duplicate-key"],
  [
    "UTF-16, as a reader of UTF-8 sees it",
    ({ head }) => utf16(`\uFEFF${head}`).toString(),
    "not-utf-8",
  ],
  ["UTF-16 without a mark", ({ head }) => utf16(head).toString(), "not-utf-8"],
  [
    "UTF-16, the other end first",
    ({ head }) => utf16(`\uFEFF${head}`).swap16().toString(),
    "not-utf-8",
  ],
];

function errorsOf(result: ReadResult): readonly Diagnostic[] {
  return result.ok ? [] : result.diagnostics.filter(({ severity }) => severity === "error");
}

describe.each(Object.entries(readers))("to the reader of %s", (_name, reader) => {
  test.each(inputs)("%s is a clear error, in time and within bounds", (_what, make, code) => {
    const text = make(reader);
    const before = process.memoryUsage().rss;
    const tookMs = stopwatch();
    const errors = errorsOf(reader.read(text));
    expect(tookMs()).toBeLessThan(promisedMs);
    expect(process.memoryUsage().rss - before).toBeLessThan(maxMemoryBytes);
    expect(errors.map((each) => each.code)).toContain(code);
    expect(errors.length).toBeLessThanOrEqual(100);
    const lines = text.replace(/^\uFEFF/, "").split("\n");
    for (const { file, line, column, message } of errors) {
      expect(file).toBe("file.yaml");
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
      expect(message.length).toBeGreaterThan(10);
    }
  });

  test.each([
    ["a byte order mark", (text: string) => `\uFEFF${text}`],
    ["line ends of Windows", (text: string) => text.replaceAll("\n", "\r\n")],
    ["both", (text: string) => `\uFEFF${text}`.replaceAll("\n", "\r\n")],
  ])("%s is no mistake: places are as an editor shows them", (_what, change) => {
    const { head, indent, read } = reader;
    const result = read(change(head));
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
    const { services } = SourceModel.parse(result.model);
    const lines = head.trimEnd().split("\n");
    expect(services.map(({ image }) => image)).toMatchObject([
      {
        value: "app",
        where: { line: lines.length, column: (lines.at(-1) ?? "").indexOf("app") + 1 },
      },
    ]);
    const [wrong, ...more] = errorsOf(read(change(`${head}${indent}imgae: b\n`)));
    expect(more).toEqual([]);
    expect(wrong).toMatchObject({ line: lines.length + 1, column: indent.length + 1 });
    expect(wrong?.excerpt).toBe(`${indent}imgae: b`);
  });
});

test.each([
  ["10 MB of it", (line: string) => line.repeat(10 * mebibyte), "file-too-large"],
  ["UTF-16", (line: string) => utf16(`\uFEFF${line}`).toString(), "not-utf-8"],
])("to the reader of Heroku's files %s is a clear error", (_what, make, code) => {
  for (const [path, line] of [
    ["Procfile", "a: b\n"],
    ["app.json", "{}\n"],
  ] as const) {
    const tookMs = stopwatch();
    const text = make(line);
    const texts = { Procfile: "web: x\n", "app.json": "{}", [path]: text };
    const found = errorsOf(readHeroku((name) => (texts as Record<string, string>)[name] ?? null));
    expect(tookMs()).toBeLessThan(promisedMs);
    expect(found).toMatchObject([{ file: path, line: 1, column: 1, code }]);
  }
});
