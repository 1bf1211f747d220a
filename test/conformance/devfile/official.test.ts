import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import type { DocumentKind } from "../../../server/sources/devfile/schema-parts.ts";
import { atHand, codes, fixture, has, mistakes, table, type Row } from "./fixtures.ts";

interface Entry {
  readonly FileName: string;
  readonly ExpectOutcome: string;
  readonly Files: readonly string[];
}

/** The specification's lists, what each is held to, and what its texts begin with. */
const lists: readonly { list: string; kind: DocumentKind; begins: string }[] = [
  { list: "test-devfile.json", kind: "devfile", begins: "schemaVersion: 2.0.0\n" },
  { list: "test-dev-workspace-template-spec.json", kind: "template", begins: "" },
  { list: "test-parent-overrides.json", kind: "parent-overrides", begins: "" },
];

/** Listed as passing, and no YAML: a key stands in them twice. */
const twice = ["metadataAll.yaml", "parentAll.yaml", "parentMinimum.yaml"];

/** Listed, and disabled, with a file that the specification lacks. */
const absent = ["componentContainerEndpointBadProtocol.yaml"];

/** In all lists, at the commit that the fixtures are of. */
const listed = 284;

/** All lists are held to the newest schema there. */
const version = [2, 3, 0] as const;

const rows: Row[] = [];
afterAll(() => {
  if (rows.length > 0) process.stdout.write(table(rows));
});

describe.skipIf(!atHand)("the specification's own lists", () => {
  const sets = atHand
    ? lists.flatMap((each) => {
        const { Tests } = JSON.parse(fixture(join("test/v200/json", each.list))) as {
          Tests: string[];
        };
        return Tests.map((part) => ({ ...each, part }));
      })
    : [];

  test.each(sets)(
    "$list: $part is accepted and rejected as listed",
    ({ list, kind, begins, part }) => {
      const { Tests } = JSON.parse(fixture(join("test/v200/json", part))) as { Tests: Entry[] };
      // Those that the specification disabled are judged as the others.
      const outcomes = Tests.map(({ FileName, ExpectOutcome, Files }) => {
        const missing = Files.filter((file) => !has(`test/v200/${file}`));
        if (absent.includes(FileName)) {
          // Else it can be judged by now.
          expect(missing.length).toBeGreaterThan(0);
          return { FileName, excepted: true, asListed: true, found: [] };
        }
        expect(missing).toEqual([]);
        const text = begins + Files.map((file) => fixture(join("test/v200", file))).join("\n");
        const found = mistakes(text, { kind, version });
        const excepted = ExpectOutcome === "PASS" && twice.includes(FileName);
        if (excepted) expect(new Set(codes(found))).toEqual(new Set(["duplicate-key"]));
        return {
          FileName,
          excepted,
          asListed: excepted || (ExpectOutcome === "PASS") === (found.length === 0),
          found: found.map(formatDiagnostic),
        };
      });
      rows.push({
        set: `${list.replace(/^test-|\.json$/g, "")}: ${part.replace("-tests.json", "")}`,
        entries: Tests.length,
        asListed: outcomes.filter(({ asListed }) => asListed).length,
        excepted: outcomes.filter(({ excepted }) => excepted).map(({ FileName }) => FileName),
      });
      expect(outcomes.filter(({ asListed }) => !asListed)).toEqual([]);
    },
  );

  test("are tried with every entry", () => {
    expect(rows.reduce((sum, { entries }) => sum + entries, 0)).toBe(listed);
    const excepted = rows.flatMap((row) => row.excepted);
    expect(new Set(excepted)).toEqual(new Set([...twice, ...absent]));
  });
});
