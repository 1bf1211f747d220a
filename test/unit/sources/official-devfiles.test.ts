import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";

/** The specification's own samples (devfile/api, Apache-2.0), where they are at hand. */
const samples = resolve(import.meta.dirname, "../../../../shared/fixtures/devfile-api/test/v200");

interface Sample {
  FileName: string;
  ExpectOutcome: string;
  Disabled?: boolean;
  Files: string[];
}

function list(): Sample[] {
  if (!existsSync(samples)) return [];
  const text = readFileSync(join(samples, "json/component-tests.json"), "utf8");
  return (JSON.parse(text) as { Tests: Sample[] }).Tests;
}

/** What the specification's own test joins: the version, and the fragments one after the other. */
function textOf({ Files }: Sample): string {
  const fragments = Files.map((file) => readFileSync(join(samples, file), "utf8"));
  return ["schemaVersion: 2.2.2", ...fragments].join("\n");
}

const kinds = /^component(Container|Volume)/;

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

  test("of containers and volumes that must fail, fail; of the others only references are open", () => {
    const supported = list().filter(({ FileName, Disabled }) => kinds.test(FileName) && !Disabled);
    expect(supported.length).toBeGreaterThan(15);
    const outcomes = supported.map((sample) => {
      const result = readDevfile(textOf(sample), sample.FileName);
      const found = result.ok ? [] : result.diagnostics.filter((each) => each.severity === "error");
      // The fragments mount volumes that stand in none of them.
      const real = found.filter(({ code }) => code !== "unknown-volume");
      const passes = sample.ExpectOutcome === "PASS";
      return {
        sample,
        asExpected: passes === (real.length === 0),
        real: real.map(formatDiagnostic),
      };
    });
    expect(outcomes.filter(({ asExpected }) => !asExpected)).toEqual([]);
  });
});
