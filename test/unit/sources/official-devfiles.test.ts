import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { read } from "./reading.ts";

/** The specification's own samples (devfile/api, Apache-2.0), where they are at hand. */
const fixtures = resolve(import.meta.dirname, "../../../../shared/fixtures/devfile-api");
const samples = join(fixtures, "test/v200");
const replaced = join(fixtures, "pkg/validation/variables/test-fixtures");

interface Sample {
  FileName: string;
  ExpectOutcome: string;
  Disabled?: boolean;
  Files: string[];
}

function list(part: string): Sample[] {
  if (!existsSync(samples)) return [];
  const text = readFileSync(join(samples, `json/${part}-tests.json`), "utf8");
  return (JSON.parse(text) as { Tests: Sample[] }).Tests;
}

/** What the specification's own test joins: the version, and the fragments one after the other. */
function textOf({ Files }: Sample): string {
  const fragments = Files.map((file) => readFileSync(join(samples, file), "utf8"));
  return ["schemaVersion: 2.2.2", ...fragments].join("\n");
}

/**
 * What is wrong with the samples themselves, which were made for a schema: they name components,
 * commands and volumes that stand in none of them, an image in upper case, remotes that are no URLs
 * and absolute clone paths, and have two defaults in a group.
 */
const faults = [
  "unknown-volume",
  "unknown-component",
  "unknown-command",
  "unknown-remote",
  "two-defaults",
  "bad-image",
  "bad-url",
];

const kinds = /^component(Container|Volume)|Command|vent|roject/;

describe.skipIf(!existsSync(samples))("the official samples", () => {
  test("are all read without a throw", () => {
    const files = readdirSync(join(samples, "devfiles"), { recursive: true, encoding: "utf8" });
    const yaml = files.filter((file) => file.endsWith(".yaml"));
    expect(yaml.length).toBeGreaterThan(50);
    for (const file of yaml) {
      const text = readFileSync(join(samples, "devfiles", file), "utf8");
      for (const whole of [text, `schemaVersion: 2.2.2\n${text}`]) readDevfile(whole, file);
    }
  });

  test.each([
    ["component", 15],
    ["command", 25],
    ["event", 2],
    ["project", 6],
  ])("of %ss that must fail, fail; the others have only faults of their own", (part, atLeast) => {
    const supported = list(part).filter(
      ({ FileName, Disabled, ExpectOutcome }) =>
        // A key without a value counts as absent here, as Kubernetes' readers have it.
        kinds.test(FileName) && !Disabled && !ExpectOutcome.includes("but got null"),
    );
    expect(supported.length).toBeGreaterThanOrEqual(atLeast);
    const outcomes = supported.map((sample) => {
      const result = readDevfile(textOf(sample), sample.FileName);
      const found = result.ok ? [] : result.diagnostics.filter((each) => each.severity === "error");
      const real = found.filter(
        ({ code, message }) => !faults.includes(code) && !message.includes('"/Users/'),
      );
      const passes = sample.ExpectOutcome === "PASS";
      return {
        sample,
        asExpected: passes === (real.length === 0),
        real: real.map(formatDiagnostic),
      };
    });
    expect(outcomes.filter(({ asExpected }) => !asExpected)).toEqual([]);
  });

  test("of variables give what the specification's own replacement gives", () => {
    const load = (file: string): unknown =>
      parse(readFileSync(join(replaced, `${file}.yaml`), "utf8"));
    const model = (container: object, exec: object) =>
      read(
        stringify({
          schemaVersion: "2.2.2",
          variables: { ...(load("variables/variables-referenced") as object), amount: "1Gi" },
          components: [
            {
              name: "component",
              container: {
                ...container,
                // The samples' own values are no amounts, and no endpoint has a port.
                memoryLimit: "{{amount}}",
                memoryRequest: "{{amount}}",
                sourceMapping: "/src",
                endpoints: [{ name: "e", targetPort: 1, path: "{{foo}}" }],
              },
            },
            { name: "vol1", volume: load("components/volume") },
          ],
          commands: [{ id: "a", exec }],
        }),
      );
    const { services, tasks, volumes } = model(
      load("components/container") as object,
      load("commands/exec") as object,
    );
    const container = load("components/container-output") as { [key: string]: unknown };
    const exec = load("commands/exec-output") as { [key: string]: unknown };
    expect(services[0]).toMatchObject({
      image: { value: container["image"] },
      command: { value: container["command"] },
      args: { value: container["args"] },
      env: { FOO: { value: { value: "BAR" } } },
      mounts: [{ value: { path: "/FOO" } }],
      endpoints: [{ value: { path: "FOO" } }],
    });
    expect(tasks[0]).toMatchObject({
      commandLine: { value: exec["commandLine"] },
      workingDir: { value: exec["workingDir"] },
      env: [{ name: "FOO", value: { value: "BAR" } }],
    });
    expect(volumes[0]).toMatchObject({ sizeBytes: { value: 2 ** 30 } });
  });

  test("of missing variables: each of the file's names is reported", () => {
    const text = readFileSync(join(replaced, "all/devfile-bad.yaml"), "utf8");
    const result = readDevfile(`schemaVersion: 2.2.2\n${text}`, "devfile.yaml");
    const found = (result.ok ? [] : result.diagnostics)
      .filter(({ code }) => code === "unknown-variable")
      .map(({ line, message }) => `${line} ${/"(.*?)"/.exec(message)?.[1]}`);
    expect(found).toEqual([
      "6 path",
      "9 tag",
      "11 dir",
      "11 version1",
      "12 version",
      "15 tag",
      "44 a",
      "47 b",
      "48 c",
      "49 bar",
      "53 b",
      "54 c",
      "69 xyz",
      "85 tag",
      "88 tag",
      "90 BAR",
      "96 abc",
      "99 abc",
    ]);
  });
});
