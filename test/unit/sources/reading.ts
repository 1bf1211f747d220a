import { expect } from "vitest";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { SourceModel } from "../../../server/protocol/source-model.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";

/** A devfile without mistakes and warnings, with the others that it names. */
export function read(text: string, others: Readonly<Record<string, string>> = {}): SourceModel {
  const documents = Object.entries(others).map(([name, other]) => [name, { text: other }] as const);
  const result = readDevfile(text, "devfile.yaml", new Map(documents));
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  expect(result.warnings).toEqual([]);
  return SourceModel.parse(result.model);
}

/** `line:column code` of everything that is wrong. */
export function wrong(text: string): string[] {
  const result = readDevfile(text, "devfile.yaml");
  const found = result.ok ? result.warnings : result.diagnostics;
  return found.map(({ line, column, code }) => `${line}:${column} ${code}`);
}

/** The first mistake as a person sees it. */
export function shown(text: string): string[] {
  const result = readDevfile(text, "devfile.yaml");
  const [first] = result.ok ? result.warnings : result.diagnostics;
  return first === undefined ? [] : formatDiagnostic(first).split("\n");
}

/** Everything that is left out, as `line what`. */
export function leftOut(model: SourceModel): string[] {
  return model.leftOut.map(({ what, where }) => `${"line" in where && where.line} ${what}`);
}

/** A text without its marks `▸`, and `line:column` of what they stood before. */
export function marked(text: string): { text: string; places: string[] } {
  const places: string[] = [];
  const lines = text.split("\n").map((line, at) => {
    const parts = line.split("▸");
    let column = 1;
    for (const part of parts.slice(0, -1)) {
      column += part.length;
      places.push(`${at + 1}:${column}`);
    }
    return parts.join("");
  });
  return { text: lines.join("\n"), places };
}
