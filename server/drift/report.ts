import { z } from "zod";
import { DriftReport } from "../protocol/drift.ts";
import type { DriftFinding } from "../protocol/drift.ts";
import type { Comparison } from "./compare.ts";
import { acknowledge } from "./lock.ts";
import type { LockEntry } from "./lock.ts";

export interface ReportOptions {
  /** How the two sides are called, such as their files. */
  readonly a: string;
  readonly b: string;
  readonly lock: readonly LockEntry[];
  /** The lock is of another comparison, too: what is not found in this one may be found there. */
  readonly isSharedLock?: boolean;
  /** By this day acknowledgements have expired, or not. */
  readonly now: Date;
}

/** What a comparison says to people and programs. */
export function reportOf(
  comparison: Comparison,
  { a, b, lock, isSharedLock = false, now }: ReportOptions,
): DriftReport {
  const { findings, unused } = acknowledge(comparison.findings, lock, now);
  return {
    version: 1,
    a,
    b,
    unacknowledgedBreaking: findings.filter(countsAsBreaking).length,
    comparable: comparison.comparable,
    equal: comparison.equal,
    findings: [...findings],
    unusedAcknowledgements: isSharedLock
      ? []
      : unused.map(({ finding, where }) => ({ id: finding, where })),
  };
}

export function isAcknowledged({ acknowledged }: DriftFinding): boolean {
  return acknowledged !== null && !acknowledged.expired;
}

function countsAsBreaking(finding: DriftFinding): boolean {
  return finding.class === "breaking" && !isAcknowledged(finding);
}

/** The report as JSON; docs/drift.schema.json says its form. */
export function renderJson(report: DriftReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** JSON Schema (2020-12) of what `renderJson` gives. */
export function driftSchema(): object {
  return { title: "Oneloop drift report", ...z.toJSONSchema(DriftReport) };
}
