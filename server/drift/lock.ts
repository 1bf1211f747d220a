import type { Diagnostic } from "../protocol/errors.ts";
import type { DriftFinding } from "../protocol/drift.ts";
import type { Place } from "../protocol/fact.ts";
import { parseYaml } from "../sources/yaml/parse.ts";
import type { Cursor, MapCursor } from "../sources/yaml/cursor.ts";
import { quote, SourceText } from "../sources/yaml/source-text.ts";

/** Where a repository's acknowledgements stand. */
export const lockPath = ".oneloop/drift.lock";

/** That somebody accepts a difference for a while. */
export interface LockEntry {
  readonly finding: string;
  readonly reason: string;
  readonly owner: string;
  /** `2027-01-31`: the last day on which it counts. */
  readonly expires: string;
  readonly where: Place;
}

export type LockResult =
  | { readonly ok: true; readonly entries: readonly LockEntry[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * Reads acknowledgements. The format, YAML:
 *
 *     acknowledged:
 *       - finding: memory-limit:web
 *         reason: the preview machines are smaller
 *         owner: platform@example.org
 *         expires: 2027-01-31
 *
 * All four are needed. `finding` is a finding's `id`. Never throws.
 */
export function readLock(text: string, file: string = lockPath): LockResult {
  const source = new SourceText(text, file);
  const root = parseYaml(source);
  const top = root === null || root.isNull ? null : root.map();
  const entries = top === null ? [] : readEntries(top);
  return source.hasErrors
    ? { ok: false, diagnostics: source.diagnostics() }
    : { ok: true, entries };
}

const keys = ["finding", "reason", "owner", "expires"] as const;

function readEntries(top: MapCursor): LockEntry[] {
  for (const { name, key } of top.entries) {
    if (name !== "acknowledged") key.error("unknown-key", unknownKey(name, ["acknowledged"]));
  }
  const seen = new Set<string>();
  return top.list("acknowledged").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    const entry = readEntry(map);
    if (entry === null) return [];
    if (seen.has(entry.finding)) {
      const message = `${quote(entry.finding)} is acknowledged twice: remove one.`;
      map.get("finding")?.error("duplicate-finding", message);
    }
    seen.add(entry.finding);
    return [entry];
  });
}

function readEntry(map: MapCursor): LockEntry | null {
  for (const { name, key } of map.entries) {
    if (!keys.some((each) => each === name)) key.error("unknown-key", unknownKey(name, keys));
  }
  const finding = textOf(map.required("finding", "memory-limit:web"));
  const reason = textOf(map.required("reason", '"the preview machines are smaller"'));
  const owner = textOf(map.required("owner", "platform@example.org"));
  const expiresAt = map.required("expires", "2027-01-31");
  const expires = textOf(expiresAt);
  if (expiresAt !== null && expires !== null && !isDate(expires)) {
    expiresAt.error("bad-date", `${quote(expires)} is no date: write one such as 2027-01-31.`);
    return null;
  }
  if (finding === null || reason === null || owner === null || expires === null) return null;
  return { finding, reason, owner, expires, where: map.where };
}

function textOf(cursor: Cursor | null): string | null {
  const text = cursor?.string() ?? null;
  if (text !== null && text.trim() === "") cursor?.error("empty-value", "Write something here.");
  return text;
}

function unknownKey(name: string, known: readonly string[]): string {
  return `The key ${quote(name)} is not known here: use ${known.join(", ")}.`;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.valueOf()) && date.toISOString().startsWith(text);
}

export interface Acknowledged {
  readonly findings: readonly DriftFinding[];
  /** Entries that no finding has any more. */
  readonly unused: readonly LockEntry[];
}

/** Sets each finding's acknowledgement. One that has expired is shown, and the finding counts. */
export function acknowledge(
  findings: readonly DriftFinding[],
  entries: readonly LockEntry[],
  now: Date,
): Acknowledged {
  const today = now.toISOString().slice(0, "2027-01-31".length);
  const byFinding = new Map(entries.map((entry) => [entry.finding, entry]));
  const ids = new Set(findings.map(({ id }) => id));
  return {
    findings: findings.map((finding) => {
      const entry = byFinding.get(finding.id);
      if (entry === undefined) return finding;
      const { reason, owner, expires, where } = entry;
      const expired = expires < today;
      return { ...finding, acknowledged: { reason, owner, expires, expired, where } };
    }),
    unused: entries.filter(({ finding }) => !ids.has(finding)),
  };
}
