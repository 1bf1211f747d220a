import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compare } from "../../../server/drift/compare.ts";
import { readLock } from "../../../server/drift/lock.ts";
import { driftSchema, renderJson, reportOf } from "../../../server/drift/report.ts";
import { renderSarif } from "../../../server/drift/sarif.ts";
import { renderText } from "../../../server/drift/text.ts";
import { DriftReport } from "../../../server/protocol/drift.ts";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { env, model, workload } from "./comparing.ts";

const lines = (entries: string) => `acknowledged:\n${entries}`;
const entry = (finding: string, expires: string) =>
  `  - finding: "${finding}"\n    reason: smaller machines\n    owner: ops@example.org\n    expires: ${expires}\n`;

function report(lock = "acknowledged: []\n") {
  const side = (memory: string, user: number, level: string) =>
    workload("web", {
      container: `${env({ LEVEL: level })}\nresources: {limits: {memory: ${memory}}, requests: {memory: 1Mi}}\nsecurityContext: {runAsUser: ${user}}`,
    });
  const entries = readLock(lock);
  if (!entries.ok) throw new Error(entries.diagnostics.map(formatDiagnostic).join("\n"));
  const comparison = compare(
    model("dev.yaml", side("512Mi", 1, "debug")),
    model("deploy/prod.yaml", side("256Mi", 2, "warn")),
  );
  const now = new Date("2026-06-01T12:00:00Z");
  return reportOf(comparison, { a: "dev.yaml", b: "deploy/prod.yaml", lock: entries.entries, now });
}

describe("acknowledgements", () => {
  test("take findings out of the headline until they expire", () => {
    expect(report().unacknowledgedBreaking).toBe(2);
    expect(report(lines(entry("user:web", "2026-06-01"))).unacknowledgedBreaking).toBe(1);
    const expired = report(lines(entry("user:web", "2026-05-31")));
    expect(expired.unacknowledgedBreaking).toBe(2);
    expect(renderText(expired)).toContain("ended on 2026-05-31");
  });

  test("that nothing needs any more are named", () => {
    const found = report(lines(entry("user:gone", "2027-01-01")));
    expect(found.unusedAcknowledgements).toEqual([
      { id: "user:gone", where: { file: ".oneloop/drift.lock", line: 2, column: 5 } },
    ]);
  });

  test("with mistakes say where", () => {
    const wrong = (text: string) => {
      const result = readLock(text);
      return result.ok
        ? []
        : result.diagnostics.map(({ line, column, code }) => `${line}:${column} ${code}`);
    };
    expect(wrong(lines("  - finding: a\n    owner: b\n    expires: 2027-02-30\n"))).toEqual([
      "2:5 missing-key",
      "4:14 bad-date",
    ]);
    expect(wrong("ignored: []\n")).toEqual(["1:1 unknown-key"]);
    expect(wrong(lines(entry("a", "2027-01-01") + entry("a", "2027-01-01")))).toEqual([
      "6:14 duplicate-finding",
    ]);
    expect(wrong("")).toEqual([]);
  });
});

test("the text has the headline first, fits 80 columns, and groups by class", () => {
  const text = renderText(report(lines(entry("user:web", "2027-01-01"))));
  expect(text).toBe(`1 breaking difference that nobody has acknowledged
9 of 12 comparable facts are equal
A: dev.yaml
B: deploy/prod.yaml

Breaking (1)

  web: The memory limit differs.
    A  512Mi  dev.yaml:14:40
    B  256Mi  deploy/prod.yaml:14:40
    The program is killed on one side where it lives on the other.
    [memory-limit:web]

For information (1)

  web: The variable LEVEL differs.
    A  debug  dev.yaml:13:36
    B  warn  deploy/prod.yaml:13:36
    The program is set otherwise.
    [env-value:web:LEVEL]

Acknowledged (1)
  user:web: smaller machines (ops@example.org, until 2027-01-01)
`);
});

test("long and hostile values stay within 80 columns, and move no cursor", () => {
  const side = (value: string) => workload("web", { container: env({ LEVEL: value }) });
  const long = "x".repeat(500);
  const comparison = compare(
    model("a.yaml", side(`\u001b[2J${long}`)),
    model(`${"b".repeat(100)}.yaml`, side(`a b ${"word ".repeat(60)}`)),
  );
  const text = renderText(reportOf(comparison, { a: long, b: "b", lock: [], now: new Date(0) }));
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(text).not.toContain("\u001b");
});

describe("JSON", () => {
  test("is what its published schema says", () => {
    const parsed: unknown = JSON.parse(renderJson(report()));
    expect(DriftReport.parse(parsed)).toEqual(report());
    const published = readFileSync(
      new URL("../../../docs/drift.schema.json", import.meta.url),
      "utf8",
    );
    expect(JSON.parse(published)).toEqual(driftSchema());
  });
});

describe("SARIF", () => {
  const log = JSON.parse(renderSarif(report(lines(entry("user:web", "2027-01-01"))))) as {
    version: string;
    runs: {
      tool: { driver: { rules: { id: string }[] } };
      results: {
        ruleId: string;
        ruleIndex: number;
        level: string;
        message: { text: string };
        locations: object[];
        relatedLocations: { id: number }[];
        suppressions: object[];
        partialFingerprints: Record<string, string>;
      }[];
    }[];
  };
  const [run] = log.runs;

  test("names rule, level and both places of each finding", () => {
    expect(log.version).toBe("2.1.0");
    const first = run?.results[0];
    expect(first).toMatchObject({
      ruleId: "memory-limit",
      level: "error",
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: "dev.yaml" },
            region: { startLine: 14, startColumn: 40 },
          },
        },
      ],
      relatedLocations: [{ id: 0 }, { id: 1, message: { text: "B: 256Mi" } }],
      partialFingerprints: { "oneloopDrift/v1": "memory-limit:web" },
      suppressions: [],
    });
    for (const { ruleId, ruleIndex } of run?.results ?? []) {
      expect(run?.tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
    }
  });

  test("suppresses what is acknowledged", () => {
    const user = run?.results.find(({ ruleId }) => ruleId === "user");
    expect(user?.suppressions).toEqual([
      { kind: "external", justification: "smaller machines (ops@example.org, until 2027-01-01)" },
    ]);
  });
});
