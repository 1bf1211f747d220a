import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { DocumentKind } from "../../../server/sources/devfile/schema-parts.ts";
import { documentSchema } from "../../../server/sources/devfile/schema.ts";
import type { Version } from "../../../server/sources/devfile/version.ts";
import { atHand, fixture, fixtures, mistakes, table, type Row } from "./fixtures.ts";
import { accepts, randomOf, sample, type JsonSchema } from "./json-schema.ts";

/** So many texts for each schema, the same each time. */
const texts = 3000;

const schemas: readonly { file: string; kind: DocumentKind; version: Version }[] = [
  { file: "v2.0.0/devfile.json", kind: "devfile", version: [2, 0, 0] },
  { file: "v2.1.0/devfile.json", kind: "devfile", version: [2, 1, 0] },
  { file: "v2.2.0/devfile.json", kind: "devfile", version: [2, 2, 0] },
  { file: "v2.2.1/devfile.json", kind: "devfile", version: [2, 2, 1] },
  { file: "v2.2.2/devfile.json", kind: "devfile", version: [2, 2, 2] },
  { file: "v2.3.0/devfile.json", kind: "devfile", version: [2, 3, 0] },
  { file: "latest/ide-targeted/devfile.json", kind: "devfile", version: [2, 3, 0] },
  {
    file: "latest/ide-targeted/parent-overrides.json",
    kind: "parent-overrides",
    version: [2, 3, 0],
  },
  {
    file: "latest/ide-targeted/plugin-overrides.json",
    kind: "plugin-overrides",
    version: [2, 3, 0],
  },
];

const rows: Row[] = [];
afterAll(() => {
  if (rows.length > 0) process.stdout.write(table(rows));
});

describe.skipIf(!atHand)("the published JSON schema", () => {
  test.each(schemas)("$file takes and refuses what ours does", ({ file, kind, version }) => {
    expect(existsSync(join(fixtures, "schemas", file))).toBe(true);
    const theirs = JSON.parse(fixture(`schemas/${file}`)) as JsonSchema;
    const ours = documentSchema(kind, version);
    let taken = 0;
    const differing: unknown[] = [];
    for (let seed = 0; seed < texts; seed += 1) {
      // From nothing wrong to much: a mistake must not hide behind another.
      const value = sample(theirs, randomOf(seed), (seed % 4) * 0.01);
      const expected = accepts(theirs, value);
      if (expected) taken += 1;
      if (ours.safeParse(value).success !== expected) differing.push({ seed, expected, value });
    }
    rows.push({
      set: `random texts: ${file}`,
      entries: texts,
      asListed: texts - differing.length,
      excepted: [],
    });
    expect(differing.slice(0, 3)).toEqual([]);
    // Else one side of the comparison would hardly be tried.
    expect(taken).toBeGreaterThan(texts / 10);
    expect(taken).toBeLessThan((texts * 9) / 10);
  });

  test("refuses nothing without a mistake that has a place", () => {
    const theirs = JSON.parse(fixture("schemas/v2.2.2/devfile.json")) as JsonSchema;
    for (let seed = 0; seed < 300; seed += 1) {
      const value = sample(theirs, randomOf(seed), 0.02);
      const found = mistakes(JSON.stringify(value), { kind: "devfile", version: [2, 2, 2] });
      expect(found.length > 0).toBe(!accepts(theirs, value));
      for (const { line, column } of found) expect([line, column > 0]).toEqual([1, true]);
    }
  });
});
