import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../../../server/protocol/errors.ts";
import { documentSchema } from "../../../server/sources/devfile/schema.ts";
import type { DocumentKind } from "../../../server/sources/devfile/schema-parts.ts";
import { checkShape } from "../../../server/sources/devfile/shape.ts";
import type { Version } from "../../../server/sources/devfile/version.ts";
import { parseTree } from "../../../server/sources/yaml/parse.ts";
import { SourceText } from "../../../server/sources/yaml/source-text.ts";

const allFixtures = resolve(import.meta.dirname, "../../../../shared/fixtures");

/** The specification's own data (devfile/api, Apache-2.0). */
export const fixtures = join(allFixtures, "devfile-api");
/** Where any fixtures are, a set that is missing is a failure. */
export const atHand = existsSync(allFixtures);

export function fixture(path: string): string {
  return readFileSync(join(fixtures, path), "utf8");
}

export function has(path: string): boolean {
  return existsSync(join(fixtures, path));
}

/** What is wrong with a text as a part of the specification. */
export function mistakes(text: string, part: { kind: DocumentKind; version: Version }) {
  const source = new SourceText(text, "devfile.yaml");
  const tree = parseTree(source);
  const { kind, version } = part;
  if (tree !== null) checkShape(tree, { schema: documentSchema(kind, version), version });
  return source.diagnostics();
}

export function codes(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map(({ code }) => code);
}

export interface Row {
  readonly set: string;
  readonly entries: number;
  readonly asListed: number;
  readonly excepted: readonly string[];
}

/** The table that `npm run conformance` prints. */
export function table(rows: readonly Row[]): string {
  const cells = [
    ["set", "entries", "as listed", "excepted"],
    ...rows.map(({ set, entries, asListed, excepted }) => [
      set,
      String(entries),
      String(asListed),
      excepted.join(", "),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...cells.map((row) => (row[at] ?? "").length)));
  const lines = cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `\nDevfile conformance\n${lines.join("\n")}\n`;
}
