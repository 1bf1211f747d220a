import type { DriftClass, DriftFinding, DriftReport, DriftSide } from "../protocol/drift.ts";
import { formatPlace } from "../protocol/fact.ts";
import { isAcknowledged } from "./report.ts";

/** What a terminal has by default. */
const columns = 80;
/** A value is there to be recognised. */
const maxValueChars = 200;

const titles: Readonly<Record<DriftClass, string>> = {
  breaking: "Breaking",
  behavioural: "Behavioural",
  info: "For information",
  unknown: "Not known",
};

/** The report for a terminal: the headline, then each cause with what follows from it. */
export function renderText(report: DriftReport): string {
  const lines = [...headline(report)];
  for (const each of Object.keys(titles) as DriftClass[]) {
    const open = report.findings.filter((one) => one.class === each && !isAcknowledged(one));
    if (open.length === 0) continue;
    lines.push("", `${titles[each]} (${open.length})`);
    for (const finding of open) lines.push("", ...findingLines(finding));
  }
  const accepted = report.findings.filter(isAcknowledged);
  if (accepted.length > 0) lines.push("", `Acknowledged (${accepted.length})`);
  for (const { id, acknowledged } of accepted) {
    if (acknowledged === null) continue;
    const { reason, owner, expires } = acknowledged;
    lines.push(...wrap(`${id}: ${reason} (${owner}, until ${expires})`, 2));
  }
  if (report.unusedAcknowledgements.length > 0) {
    lines.push("", "Acknowledged, and found no more: remove these from the lock");
    for (const { id, where } of report.unusedAcknowledgements) {
      lines.push(...wrap(`${id} (${formatPlace(where)})`, 2));
    }
  }
  return `${lines.join("\n")}\n`;
}

function headline({
  unacknowledgedBreaking: count,
  equal,
  comparable,
  a,
  b,
}: DriftReport): string[] {
  const finding = count === 1 ? "1 breaking difference" : `${count} breaking differences`;
  return [
    `${finding} that nobody has acknowledged`,
    `${equal} of ${comparable} comparable facts are equal`,
    ...wrap(`A: ${a}`, 0),
    ...wrap(`B: ${b}`, 0),
  ];
}

function findingLines(finding: DriftFinding): string[] {
  const { id, service, what, why, a, b, also, acknowledged } = finding;
  const lines = [
    ...wrap(`${service}: ${what}`, 2),
    ...sideLines("A", a),
    ...sideLines("B", b),
    ...wrap(why, 4),
  ];
  for (const effect of also) {
    lines.push(...wrap(`and so: ${effect.what}`, 4));
    lines.push(...sideLines("A", effect.a, 6), ...sideLines("B", effect.b, 6));
  }
  if (acknowledged !== null) {
    const { owner, expires, where } = acknowledged;
    const said = `Its acknowledgement by ${owner} ended on ${expires} (${formatPlace(where)}).`;
    lines.push(...wrap(said, 4));
  }
  if (finding.class !== "unknown") lines.push(...wrap(`[${id}]`, 4));
  return lines;
}

function sideLines(name: string, { value, where }: DriftSide, indent = 4): string[] {
  const place = where === null ? "" : `  ${formatPlace(where)}`;
  const shown = printable(value ?? "nothing");
  const line = `${" ".repeat(indent)}${name}  ${shown}${place}`;
  if (line.length <= columns) return [line];
  return [
    ...wrap(`${name}  ${shown}`, indent, 3),
    ...(where === null ? [] : wrap(formatPlace(where), indent + 3)),
  ];
}

/** Control characters could move the terminal's cursor. */
function printable(text: string): string {
  const one = text.replaceAll(/[\p{Cc}\p{Cf}\p{Surrogate}\u2028\u2029]+/gu, " ");
  return one.length > maxValueChars ? `${one.slice(0, maxValueChars)}…` : one;
}

/** Lines of at most 80 columns; a word that is longer is cut. */
function wrap(text: string, indent: number, hanging = 0): string[] {
  const lines: string[] = [];
  let pad = " ".repeat(indent);
  let line = "";
  const flush = (): void => {
    if (line === "") return;
    lines.push(pad + line);
    pad = " ".repeat(indent + hanging);
    line = "";
  };
  for (const word of printable(text).split(/(?<=\S)\s(?=\S)/)) {
    for (let rest = word; rest !== "";) {
      const room = columns - pad.length - (line === "" ? 0 : line.length + 1);
      if (rest.length <= room) {
        line = line === "" ? rest : `${line} ${rest}`;
        rest = "";
      } else if (line !== "") {
        flush();
      } else {
        line = rest.slice(0, room);
        rest = rest.slice(room);
        flush();
      }
    }
  }
  flush();
  return lines;
}
