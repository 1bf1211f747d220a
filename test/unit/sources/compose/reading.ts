import { expect } from "vitest";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import type { Fact, Place } from "../../../../server/protocol/fact.ts";
import type { SourceService } from "../../../../server/protocol/service.ts";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import { readCompose } from "../../../../server/sources/compose/read.ts";
import type { ReadResult } from "../../../../server/sources/result.ts";

/** Texts by their paths; a text alone is `compose.yaml`. */
export type Files = Readonly<Record<string, string>> | string;

export interface Asked {
  readonly paths?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly profiles?: readonly string[];
}

export function readFiles(
  files: Files,
  { paths = ["compose.yaml"], ...rest }: Asked = {},
): ReadResult {
  const all = typeof files === "string" ? { "compose.yaml": files } : files;
  return readCompose(paths, {
    read: (path) => (Object.hasOwn(all, path) ? (all[path] ?? null) : null),
    ...rest,
  });
}

/** A project without mistakes and warnings. */
export function read(files: Files, asked: Asked = {}): SourceModel {
  const result = readFiles(files, asked);
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  expect(result.warnings.map(formatDiagnostic)).toEqual([]);
  return SourceModel.parse(result.model);
}

/** The service of a file that has one: `body` stands below its name. */
export function one(body: string, rest = "", asked: Asked = {}): SourceService {
  const lines = body.split("\n").map((line) => `    ${line}`);
  const image = /^(?:image|build):/m.test(body) ? "" : "    image: app\n";
  const model = read(`services:\n  web:\n${image}${lines.join("\n")}\n${rest}`, asked);
  return service(model, "web");
}

export function service(model: SourceModel, name: string): SourceService {
  const found = model.services.find((each) => each.name.known && each.name.value === name);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

/** `file:line:column code` of everything that is wrong. */
export function wrong(files: Files, asked: Asked = {}): string[] {
  const result = readFiles(files, asked);
  const found = result.ok ? result.warnings : result.diagnostics;
  return found.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`);
}

/** Everything that is left out, as `file:line what`. */
export function leftOut(model: SourceModel): string[] {
  return model.leftOut.map(({ what, where }) => `${lineOf(where)} ${what}`);
}

export function lineOf(where: Place): string {
  return "file" in where ? `${where.file}:${where.line}` : "engine";
}

/** What a fact says; for one that is not known why, in an object of its own. */
export function said<Value>(fact: Fact<Value> | undefined): Value | { why: string } | undefined {
  if (fact === undefined) return undefined;
  return fact.known ? fact.value : { why: fact.why };
}

export function allSaid(facts: readonly Fact<unknown>[]): unknown[] {
  return facts.map(said);
}

/** Values of variables, those that are no text by their kind. */
export function envOf({ env }: SourceService): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(env).map(([name, fact]) => {
      const value = said(fact);
      if (value === undefined || !("kind" in value)) return [name, value];
      return [name, value.kind === "literal" ? value.value : value];
    }),
  );
}

/** A model without its places: what it says, wherever that stands. */
export function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "where")
      .map(([key, each]) => [key, withoutPlaces(each)]),
  );
}
