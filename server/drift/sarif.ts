import type { DriftClass, DriftFinding, DriftReport, DriftSide } from "../protocol/drift.ts";
import type { Place } from "../protocol/fact.ts";
import { codes } from "./codes.ts";
import { isAcknowledged } from "./report.ts";

const levels: Readonly<Record<DriftClass, "error" | "warning" | "note">> = {
  breaking: "error",
  behavioural: "warning",
  info: "note",
  unknown: "note",
};

/**
 * The report in the Static Analysis Results Interchange Format 2.1.0 (OASIS), for code scanning. Each
 * finding is a result at side A's place, with side B's as a related one; an acknowledged one is
 * suppressed.
 */
export function renderSarif(report: DriftReport): string {
  const rules = Object.entries(codes).map(([id, code]) => ({
    id,
    shortDescription: { text: id.replaceAll("-", " ") },
    fullDescription: { text: code.why },
    defaultConfiguration: { level: levels[code.class] },
  }));
  const ruleIds = rules.map(({ id }) => id);
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "Oneloop drift", semanticVersion: "1.0.0", rules } },
        columnKind: "utf16CodeUnits",
        results: report.findings.map((finding) => resultOf(finding, ruleIds)),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function resultOf(finding: DriftFinding, ruleIds: readonly string[]) {
  const { code, id, service, what, why, a, b, also } = finding;
  const places = [locationOf(a.where, null), locationOf(b.where, null)].flatMap(
    (each) => each ?? [],
  );
  const [first] = places;
  const related = [
    { side: a, text: `A: ${a.value ?? "nothing"}` },
    { side: b, text: `B: ${b.value ?? "nothing"}` },
    ...also.flatMap((each) => [
      { side: each.a, text: `${each.what} A: ${each.a.value ?? "nothing"}` },
      { side: each.b, text: `${each.what} B: ${each.b.value ?? "nothing"}` },
    ]),
  ].flatMap(({ side, text }, at) => relatedOf(side, { id: at, text }));
  return {
    ruleId: code,
    ruleIndex: ruleIds.indexOf(code),
    level: levels[finding.class],
    message: {
      text: `${service}: ${what} A: ${a.value ?? "nothing"}. B: ${b.value ?? "nothing"}. ${why}`,
    },
    locations: first === undefined ? [] : [first],
    relatedLocations: related,
    partialFingerprints: { "oneloopDrift/v1": id },
    suppressions: suppressionsOf(finding),
  };
}

function suppressionsOf(finding: DriftFinding) {
  const { acknowledged } = finding;
  if (acknowledged === null || !isAcknowledged(finding)) return [];
  const { reason, owner, expires } = acknowledged;
  return [{ kind: "external", justification: `${reason} (${owner}, until ${expires})` }];
}

function relatedOf({ where }: DriftSide, said: { id: number; text: string }) {
  const location = locationOf(where, said);
  return location === null ? [] : [location];
}

function locationOf(where: Place | null, said: { id: number; text: string } | null) {
  if (where === null) return null;
  const message = said === null ? {} : { id: said.id, message: { text: said.text } };
  if ("file" in where) {
    const { file, line, column } = where;
    const region = { startLine: line, startColumn: column };
    const physicalLocation = { artifactLocation: { uri: encodeURI(file) }, region };
    return { ...message, physicalLocation };
  }
  const { engine, object } = where;
  return {
    ...message,
    logicalLocations: [{ name: object, fullyQualifiedName: `${engine}:${object}` }],
  };
}
