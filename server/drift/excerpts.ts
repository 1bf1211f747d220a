import type { DriftExcerpt, DriftReport } from "../protocol/drift.ts";
import type { Place } from "../protocol/fact.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { Redactor } from "./redact.ts";

/** Around each place: more than a screen has. */
const linesAround = 60;
/** A minified file would fill a screen with one line. In UTF-16 code units. */
const maxLineChars = 400;
/** Of all excerpts of a report: some thousands of lines. */
const maxTotalChars = 2 * 1024 * 1024;

/**
 * The lines that a report's findings name, each with those around it: to be shown beside each other.
 * Secrets are hidden as they are in the report.
 *
 * @param texts the files that were read, by the names that places have
 */
export function excerptsOf(
  report: DriftReport,
  texts: ReadonlyMap<string, string>,
  models: readonly SourceModel[],
): DriftExcerpt[] {
  const redactor = new Redactor(...models);
  const excerpts: DriftExcerpt[] = [];
  let chars = 0;
  for (const [file, wanted] of linesByFile(report)) {
    const text = texts.get(file);
    if (text === undefined || text.length > maxTotalChars) continue;
    const lines = hideSecrets(text, file, redactor);
    for (const [from, to] of ranges(wanted, lines.length)) {
      const shown = lines
        .slice(from - 1, to)
        .map((line) => (line.length > maxLineChars ? `${line.slice(0, maxLineChars)}…` : line));
      chars += shown.reduce((sum, line) => sum + line.length + 1, 0);
      if (chars > maxTotalChars) return excerpts;
      excerpts.push({ file, from, lines: shown, total: lines.length });
    }
  }
  return excerpts;
}

function linesByFile({ findings }: DriftReport): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const add = (where: Place | null): void => {
    if (where === null || !("file" in where)) return;
    found.set(where.file, [...(found.get(where.file) ?? []), where.line]);
  };
  for (const { a, b, also } of findings) {
    for (const each of [{ a, b }, ...also]) {
      add(each.a.where);
      add(each.b.where);
    }
  }
  return found;
}

/** First and last lines; what touches is one. */
function ranges(lines: readonly number[], total: number): [number, number][] {
  const merged: [number, number][] = [];
  for (const line of [...new Set(lines)].toSorted((one, other) => one - other)) {
    if (line > total) continue;
    const [from, to] = [Math.max(1, line - linesAround), Math.min(total, line + linesAround)];
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = to;
    else merged.push([from, to]);
  }
  return merged;
}
