import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SourceModel } from "../../../server/protocol/source-model.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { defaultModel } from "../../../server/sources/fallback/default-model.ts";
import { leftOut, read, shown, wrong } from "./reading.ts";

const full = `schemaVersion: 2.2.2
metadata:
  name: govapp
  displayName: The portal
  globalMemoryLimit: 4Gi
variables:
  tag: '1'
components:
  - name: front-end
    container:
      image: govapp/front-end:{{tag}}
      command: [node]
      args: ["server.js", "--port=3000"]
      env:
        - name: LOG_LEVEL
          value: debug
      memoryLimit: 512Mi
      memoryRequest: 128M
      cpuLimit: "1"
      cpuRequest: 250m
      volumeMounts:
        - name: data
        - name: cache
          path: /var/cache/
      endpoints:
        - name: web
          targetPort: 3000
        - name: admin
          targetPort: 3000
          exposure: internal
          protocol: wss
          secure: true
          path: /admin
  - name: alone
    attributes:
      pod-overrides: {}
    container:
      image: db
      dedicatedPod: true
      endpoints:
        - {name: db, targetPort: 5432, protocol: tcp, exposure: none}
  - name: elsewhere
    container:
      image: db
      sourceMapping: /projects
  - name: data
    volume: {size: 1Gi}
  - name: cache
    volume:
      ephemeral: true
  - name: deploy
    kubernetes:
      uri: deploy.yaml
commands:
  - id: build
    exec: {component: front-end, commandLine: npm ci}
events:
  postStart: [build]
`;

/** A devfile with one container that has these lines, of which the first is line 6. */
function container(...lines: string[]): string {
  const head = ["schemaVersion: 2.2.0", "components:", "  - name: a", "    container:"];
  return [...head, "      image: a", ...lines.map((line) => `      ${line}`)].join("\n");
}

describe("a devfile", () => {
  test("is read with every field of its containers, each at its place", () => {
    const { services, name } = read(full);
    expect(name).toMatchObject({ value: "govapp", where: { line: 3, column: 9 } });
    expect(services[0]).toMatchObject({
      name: { value: "front-end", where: { file: "devfile.yaml", line: 9, column: 11 } },
      image: { value: "govapp/front-end:1", where: { line: 11, column: 14 } },
      command: { value: ["node"] },
      args: { value: ["server.js", "--port=3000"] },
      memoryLimitBytes: { value: 512 * 1024 * 1024, where: { line: 17 } },
      memoryRequestBytes: { value: 128_000_000 },
      cpuLimitCores: { value: 1 },
      cpuRequestCores: { value: 0.25 },
      sourcePath: { value: "/workspace" },
      dedicatedPod: { value: false },
      env: { LOG_LEVEL: { value: { kind: "literal", value: "debug" }, where: { line: 16 } } },
      mounts: [
        { value: { volume: "data", path: "/data" } },
        { value: { volume: "cache", path: "/var/cache" } },
      ],
    });
    expect(services[0]?.endpoints.map((fact) => fact.known && fact.value)).toEqual([
      {
        name: "web",
        targetPort: 3000,
        exposure: "public",
        protocol: "http",
        secure: false,
        path: null,
      },
      {
        name: "admin",
        targetPort: 3000,
        exposure: "internal",
        protocol: "wss",
        secure: true,
        path: "/admin",
      },
    ]);
  });

  test("mounts the source unless the component stands alone, and where sourceMapping says", () => {
    const paths = read(full).services.map(({ sourcePath }) => sourcePath.known && sourcePath.value);
    expect(paths).toEqual(["/workspace", null, "/projects"]);
    const alone = read(container("dedicatedPod: true", "mountSources: true"));
    expect(alone.services[0]?.sourcePath).toMatchObject({ value: "/workspace" });
  });

  test("is read with its volumes", () => {
    expect(read(full).volumes).toMatchObject([
      { name: { value: "data" }, sizeBytes: { value: 2 ** 30 }, ephemeral: { value: false } },
      { name: { value: "cache" }, sizeBytes: { value: null }, ephemeral: { value: true } },
    ]);
  });

  test("names every part that is not run, with its line", () => {
    expect(leftOut(read(full))).toEqual([
      "5 metadata.globalMemoryLimit",
      '35 attributes of component "alone"',
    ]);
  });

  test("may use anchors, aliases and merge keys", () => {
    const { services } = read(
      [
        "schemaVersion: 2.2.0",
        "components:",
        "  - name: a",
        "    container: &base {image: x, memoryLimit: 1Gi}",
        "  - name: b",
        "    container:",
        "      <<: *base",
        "      image: y",
      ].join("\n"),
    );
    expect(services[1]).toMatchObject({
      image: { value: "y" },
      memoryLimitBytes: { value: 2 ** 30, where: { line: 4 } },
    });
  });
});

describe("a mistake in a devfile", () => {
  test.each([
    ["an unknown key", container("imag: b"), "6:7 unknown-key"],
    [
      "a key of a later version",
      container("cpuLimit: '1'").replace("2.2.0", "2.0.0"),
      "6:7 key-of-later-version",
    ],
    ["a wrong type", container("env: {A: b}"), "6:12 wrong-type"],
    ["a number where text belongs", container("memoryLimit: 512"), "6:20 wrong-type"],
    ["a key that stands twice", container("image: b"), "6:7 duplicate-key"],
    ["a bad quantity", container("memoryLimit: 128MB"), "6:20 bad-quantity"],
    [
      "a request above its limit",
      container("cpuLimit: 500m", "cpuRequest: '1'"),
      "7:19 request-over-limit",
    ],
    [
      "a memory request above its limit",
      container("memoryLimit: 1Gi", "memoryRequest: 1025Mi"),
      "7:22 request-over-limit",
    ],
    ["a volume that is none", container("volumeMounts: [{name: data}]"), "6:29 unknown-volume"],
    [
      "a reserved variable",
      container("env: [{name: PROJECTS_ROOT, value: x}]"),
      "6:20 reserved-env",
    ],
    [
      "an endpoint's long name",
      container("endpoints: [{name: abcdefghijklmnop, targetPort: 1}]"),
      "6:26 bad-name",
    ],
    ["a bad name", container("endpoints: [{name: Web, targetPort: 1}]"), "6:26 bad-name"],
    [
      "a port that is none",
      container("endpoints: [{name: web, targetPort: 70000}]"),
      "6:43 bad-port",
    ],
    [
      "the supervisor's port",
      container("endpoints: [{name: web, targetPort: 22022}]"),
      "6:43 reserved-port",
    ],
    [
      "a bad choice",
      container("endpoints: [{name: w, targetPort: 1, protocol: ftp}]"),
      "6:54 bad-choice",
    ],
    ["a mount over the supervisor", container("sourceMapping: /.oneloop/x"), "6:22 reserved-path"],
    ["a path that climbs", container("sourceMapping: /a/../b"), "6:22 bad-path"],
    [
      "an image that would be a question to the engine",
      container().replace("image: a", 'image: "get?names=oneloop/workspace:latest&x="'),
      "5:14 bad-image",
    ],
    [
      "an image with a climbing segment",
      container().replace("image: a", "image: a/../b"),
      "5:14 bad-image",
    ],
    [
      "an image in capitals",
      container().replace("image: a", "image: Acme/Tools"),
      "5:14 bad-image",
    ],
    ["a value with a NUL", container('args: ["a\\0b"]'), "6:14 bad-character"],
    [
      "a missing image",
      "schemaVersion: 2.2.0\ncomponents:\n  - name: a\n    container: {}",
      "4:16 missing-key",
    ],
    [
      "a component of no kind",
      "schemaVersion: 2.2.0\ncomponents:\n  - name: a",
      "3:5 no-component-kind",
    ],
    ["a component of two kinds", container() + "\n    volume: {}", "6:5 two-component-kinds"],
    [
      "two components of one name",
      container() + "\n  - name: a\n    volume: {}",
      "6:11 duplicate-component",
    ],
    ["an unsupported version", "schemaVersion: 3.0.0", "1:16 unsupported-version"],
    ["a version that is a number", "schemaVersion: 2.2", "1:16 wrong-type"],
    ["no version", "metadata: {}", "1:1 missing-key"],
    ["an empty file", "\n\n", "1:1 empty-file"],
    ["text that is no YAML", "schemaVersion: [\n", "1:17 yaml-syntax"],
    ["a second document", "schemaVersion: 2.2.0\n---\na: b\n", "2:1 multiple-documents"],
  ])("%s is reported at its place", (_, text, expected) => {
    expect(wrong(text)).toEqual([expected]);
  });

  test("a port that two components use is reported, as the specification's own code has it", () => {
    const both = (more: string) =>
      `${container("endpoints: [{name: a, targetPort: 80}]")}\n  - name: b\n    container: {image: b, ${more}endpoints: [{name: b, targetPort: 80}]}`;
    expect(wrong(both(""))).toEqual(["8:61 duplicate-port"]);
    expect(wrong(both("dedicatedPod: true, "))).toEqual(["8:81 duplicate-port"]);
  });

  test("does not hide the next one: all are reported at once, in the order of the file", () => {
    const text = container("memoryLimit: 1XB", "imag: b", "mountSources: maybe", "cpuLimit: -1m");
    expect(wrong(text).map((each) => each.split(" ")[1])).toEqual([
      "bad-quantity",
      "unknown-key",
      "wrong-type",
      "bad-quantity",
    ]);
  });

  test("that a merge key brings into two components is reported once", () => {
    const base = "  - name: b\n    container: &base {image: b, memoryLimit: 1XB}\n";
    const merged = "  - name: c\n    container:\n      <<: *base";
    expect(wrong(`${container()}\n${base}${merged}`)).toEqual(["7:46 bad-quantity"]);
  });

  test("is shown with a caret under it, and moves no terminal's cursor", () => {
    expect(shown(container('imag: "\u001B[2J"'))).toEqual([
      'devfile.yaml:6:7: unknown-key: The devfile schema has no key "imag" here; did you mean "image"?',
      '  6 |       imag: "\uFFFD[2J"',
      "    |       ^^^^",
    ]);
  });
});

describe("hostile YAML", () => {
  const letters = "abcdefghij";
  const laughs = Array.from(letters, (letter, at) => {
    const inner = at === 0 ? "x" : `*${letters[at - 1]}`;
    return `${letter}: &${letter} [${Array.from({ length: 9 }, () => inner).join(",")}]`;
  }).join("\n");

  test.each([
    ["a billion laughs", laughs, "too-many-nodes"],
    ["an alias inside its own anchor", "a: &a [*a]", "alias-cycle"],
    ["a merge of itself", "a: &a\n  <<: *a", "alias-cycle"],
    ["an alias of nothing", "a: *b", "unknown-alias"],
    ["a million brackets", "[".repeat(1_000_000), "too-deep"],
    ["a million commas", `[${",".repeat(1_000_000)}`, "file-too-large"],
    ["half a million dashes", "- ".repeat(500_000), "too-deep"],
    ["more than a megabyte", "#".repeat(1_048_577), "file-too-large"],
  ])("%s is refused", (_, text, code) => {
    const result = readDevfile(text, "devfile.yaml");
    expect(result.ok ? [] : result.diagnostics.map((each) => each.code)).toContain(code);
  });
});

function expectInside(text: string): void {
  const result = readDevfile(text, "devfile.yaml");
  const lines = text.split("\n");
  for (const { line, column, length } of result.ok ? result.warnings : result.diagnostics) {
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
    expect(length).toBeGreaterThanOrEqual(1);
  }
  if (result.ok) SourceModel.parse(result.model);
  expect(result.ok || result.diagnostics.some(({ severity }) => severity === "error")).toBe(true);
}

describe("any text", () => {
  test("is read without a throw, and every mistake has a place inside the file", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), expectInside), { numRuns: 500 });
    const yamlish = fc.array(
      fc.constantFrom(
        "a",
        ":",
        " ",
        "\n",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!t ",
        '"',
        "'",
        "|",
        ">",
        "#",
        "---\n",
        "<<",
        "? ",
        "%",
        "\t",
        "\r\n",
        "\uFEFF",
        "schemaVersion: 2.2.0\n",
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(yamlish, (parts) => expectInside(parts.join(""))),
      { numRuns: 1000 },
    );
  });

  test("so is a real devfile with a piece of it replaced", () => {
    expect.hasAssertions();
    const piece = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom("", "\n", "[", "- ", ": ", "{}", "null", "*a"),
    );
    const mutation = fc.tuple(fc.nat(full.length), fc.nat(20), piece);
    const mutate = (text: string, [at, cut, put]: [number, number, string]): string =>
      text.slice(0, at) + put + text.slice(at + cut);
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (all) =>
        expectInside(all.reduce(mutate, full)),
      ),
      { numRuns: 500 },
    );
  });
});

test("a repository without a devfile gets one container with the usual tools", () => {
  expect(SourceModel.parse(defaultModel()).services.map(({ image }) => image)).toMatchObject([
    { value: "oneloop/workspace:latest" },
  ]);
});
