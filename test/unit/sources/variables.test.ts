import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { read, shown, wrong } from "./reading.ts";

/** A devfile whose variables are on line 3 and the following; the container's lines begin below. */
function devfile(variables: readonly string[], lines: readonly string[]): string {
  return [
    "schemaVersion: 2.2.0",
    "variables:",
    ...variables.map((line) => `  ${line}`),
    "components:",
    "  - name: a",
    "    container:",
    ...lines.map((line) => `      ${line}`),
  ].join("\n");
}

describe("a variable", () => {
  test("is put in wherever the specification allows it", () => {
    const model = read(`schemaVersion: 2.2.2
variables: {tag: xyz, foo: FOO, "dotted.name": d, size: 1Gi, cores: 500m, path: /x, host: example.org}
components:
  - name: a
    container:
      image: image-{{tag}}
      command: [tail, "{{ path }}"]
      args: ['{{foo}}{{  foo }}', "{{dotted.name}}"]
      env: [{name: "{{foo}}", value: "<{{tag}}>"}]
      memoryLimit: "{{size}}"
      cpuLimit: "{{cores}}"
      sourceMapping: "{{path}}"
      volumeMounts: [{name: data, path: "{{path}}/data"}]
      endpoints: [{name: web, targetPort: 80, path: "/{{foo}}"}]
  - name: data
    volume: {size: "{{size}}"}
commands:
  - id: run
    exec:
      component: a
      commandLine: |
        echo {{foo}}
        echo {{tag}}
      workingDir: "{{path}}"
      label: "{{foo}}"
      env: [{name: TAG, value: "{{tag}}"}]
projects:
  - name: tool
    clonePath: "{{foo}}/tool"
    git:
      remotes: {"{{tag}}": "https://{{host}}/tool.git"}
      checkoutFrom: {remote: "{{tag}}", revision: "{{foo}}"}
`);
    expect(model.services[0]).toMatchObject({
      image: { value: "image-xyz", where: { line: 6, column: 14 } },
      command: { value: ["tail", "/x"] },
      args: { value: ["FOOFOO", "d"] },
      env: { FOO: { value: { kind: "literal", value: "<xyz>" } } },
      memoryLimitBytes: { value: 2 ** 30 },
      cpuLimitCores: { value: 0.5 },
      sourcePath: { value: "/x" },
      mounts: [{ value: { path: "/x/data" } }],
      endpoints: [{ value: { path: "/FOO" } }],
    });
    expect(model.volumes[0]).toMatchObject({ sizeBytes: { value: 2 ** 30 } });
    expect(model.commands?.[0]).toMatchObject({
      label: "FOO",
      runs: {
        commandLine: { value: "echo FOO\necho xyz\n" },
        workingDir: { value: "/x" },
        env: [{ name: "TAG", value: { value: "xyz" } }],
      },
    });
    expect(model.projects[0]).toMatchObject({
      url: { value: "https://example.org/tool.git" },
      revision: { value: "FOO" },
      clonePath: { value: "FOO/tool" },
    });
  });

  test("is text as it stands: what it has in braces is not replaced again", () => {
    const { services } = read(devfile(["a: '{{b}}'", "b: x"], ["image: i", "args: ['{{a}}']"]));
    expect(services[0]).toMatchObject({ args: { value: ["{{b}}"] } });
  });

  test("that does not exist is shown with a caret, and with the name that was meant", () => {
    expect(shown(devfile(["version: '1'"], ["image: 'node:{{ verison }}-slim'"]))).toEqual([
      'devfile.yaml:7:20: unknown-variable: No variable is named "verison"; did you mean "version"?',
      "  7 |       image: 'node:{{ verison }}-slim'",
      "    |                    ^^^^^^^^^^^^^",
    ]);
  });

  test.each([
    ["each of two in one text", ["image: '{{x}}{{a}}{{y}}'"], ["7:15", "7:25"]],
    ["one behind escapes", ['image: "\\x61{{x}}"'], ["7:19"]],
    ["one written with escapes, at its text", ['image: "\\x7b{x}}"'], ["7:14"]],
    ["one in a block", ["image: a", "args:", "  - |", "    one", "    two {{x}}"], ["11:15"]],
    ["one in a folded text", ["image: a", "args:", "  - one", "    {{x}}"], ["10:11"]],
    ["one in two lines", ["image: a", "args:", "  - one {{", "    x }}"], ["9:15"]],
    ["one behind an alias, there too", ["image: &i '{{x}}'", "args: [*i]"], ["7:18", "8:14"]],
    ["one in a key", ["image: a", "env: [{name: '{{x}}', value: b}]"], ["8:21"]],
  ])("that does not exist is reported at its column: %s", (_, lines, expected) => {
    expect(wrong(devfile(["a: b"], lines))).toEqual(
      expected.map((place) => `${place} unknown-variable`),
    );
  });

  test.each([
    ["a number", "a: 1", "3:6 wrong-type"],
    ["a list", "a: [b]", "3:6 wrong-type"],
    ["nothing", "a:", "3:3 missing-key"],
  ])("must be text: %s is the only mistake where it is used", (_, line, expected) => {
    expect(wrong(devfile([line], ["image: 'x{{a}}'"]))).toEqual([expected]);
  });

  test("with a bad value is reported where it is used, as the file has it", () => {
    expect(shown(devfile(["size: 12XB"], ["image: a", 'memoryLimit: "{{size}}"']))).toEqual([
      'devfile.yaml:8:20: bad-quantity: "12XB" is no amount: write one such as 512Mi (suffixes k, M, G, Ki, Mi, Gi, m).',
      '  8 |       memoryLimit: "{{size}}"',
      "    |                    ^^^^^^^^^^",
    ]);
  });

  test("is not put in where a name, a reference or a choice belongs", () => {
    const text = devfile(
      ["a: web", "k: http"],
      ["image: i", "endpoints: [{name: '{{a}}', targetPort: 80, protocol: '{{k}}'}]"],
    );
    expect(wrong(text)).toEqual(["9:26 bad-name", "9:61 bad-choice"]);
  });

  test("came with version 2.1.0: in an older devfile, braces are text", () => {
    const text =
      "schemaVersion: 2.0.0\ncomponents: [{name: a, container: {image: i, args: ['{{a}}']}}]";
    expect(read(text).services[0]).toMatchObject({ args: { value: ["{{a}}"] } });
  });

  test("cannot have a name such as other programs have in braces: that stays, with a warning", () => {
    const result = readDevfile(
      devfile(["a: b"], ["image: i", "args: ['{{.Names}} {{json .}} {{}} {{a}}']"]),
      "devfile.yaml",
    );
    expect(result.ok && result.model.services[0]).toMatchObject({
      args: { value: ["{{.Names}} {{json .}} {{}} b"] },
    });
    expect(result.ok && result.warnings.map(({ column, code }) => [column, code])).toEqual([
      [15, "not-a-variable"],
      [26, "not-a-variable"],
      [37, "not-a-variable"],
    ]);
  });

  test("cannot fill the memory", () => {
    const many = "{{a}}".repeat(50_000);
    const text = devfile([`a: ${"x".repeat(500_000)}`], ["image: i", `args: ["${many}"]`]);
    expect(wrong(text)).toContain("8:25 too-much-text");
  });
});

/** Keys of variables, and texts in which they stand among other things. */
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const plain = fc.stringMatching(/^[ -~]*$/).map((text) => text.replaceAll(/[{}]/g, ""));
const blanks = fc.constantFrom("", " ", "   ");

test("every text is its parts with the variables between them replaced", () => {
  const part = fc.record({ name, before: plain, blank: blanks, value: fc.string() });
  fc.assert(
    fc.property(fc.uniqueArray(part, { selector: (each) => each.name, maxLength: 5 }), (parts) => {
      const text = JSON.stringify({
        schemaVersion: "2.2.0",
        variables: Object.fromEntries(parts.map((each) => [each.name, each.value])),
        components: [
          {
            name: "a",
            container: {
              image: "i",
              args: [
                parts.map((each) => `${each.before}{{${each.blank}${each.name}}}`).join(""),
                "end",
              ],
            },
          },
        ],
      });
      const result = readDevfile(text, "devfile.yaml");
      const expected = parts.map(({ before, value }) => before + value).join("");
      expect(result.ok && result.model.services[0]?.args).toMatchObject({
        value: [expected, "end"],
      });
    }),
  );
});

test("every variable that does not exist is reported at its own column", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(plain, blanks, name), { minLength: 1, maxLength: 8 }),
      (parts) => {
        const quoted = parts.map(([before, blank, key]) => ({
          before: before.replaceAll("'", "''"),
          reference: `{{${blank}${key}}}`,
        }));
        const head =
          "schemaVersion: 2.2.0\ncomponents:\n  - name: a\n    container:\n      image: '";
        const text = quoted.map(({ before, reference }) => before + reference).join("");
        let column = "      image: '".length + 1;
        const expected = quoted.map(({ before, reference }) => {
          const place = `5:${column + before.length} unknown-variable`;
          column += before.length + reference.length;
          return place;
        });
        expect(wrong(`${head}${text}'\n`)).toEqual(expected);
      },
    ),
  );
});
