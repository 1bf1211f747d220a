import { known, unknown } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import type { SourceText, TextRange } from "../yaml/source-text.ts";
import type { Budget } from "./budget.ts";

/** Values of variables by their names. */
export type Environment = ReadonlyMap<string, string>;

/** What holds for everything that one file says in one place of the project. */
export interface Origin {
  readonly source: SourceText;
  /** What relative paths start from: below the repository's root, `.` for itself. */
  readonly folder: string;
  readonly env: Environment;
  readonly budget: Budget;
}

/** Where a part of the project is written; after a merge each part still knows its own file. */
export class Mark {
  readonly origin: Origin;
  readonly written: TextRange;

  constructor(origin: Origin, written: TextRange) {
    this.origin = origin;
    this.written = written;
  }

  get where(): Place {
    return this.origin.source.place(this.written.start);
  }

  error(code: string, message: string): void {
    this.origin.source.report(this.written, { severity: "error", code, message });
  }

  warning(code: string, message: string): void {
    this.origin.source.report(this.written, { severity: "warning", code, message });
  }

  /** The same, from `start` on, counted from here. */
  within(start: number, end: number): Mark {
    const { start: own } = this.written;
    return new Mark(this.origin, { start: own + start, end: own + end });
  }
}

/** A value of the project, with its variables replaced. */
export type Part = ScalarPart | ListPart | MapPart;

/** How a part is merged into one of an earlier file: compose-spec, "Merge and override". */
export type MergeTag = "reset" | "override" | null;

interface Marked {
  readonly mark: Mark;
  readonly tag: MergeTag;
}

export interface ScalarPart extends Marked {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** A number as it is spelled; for all else the text. */
  readonly raw: string;
  /** Variables in it that nobody has set: what it says is not known. */
  readonly unset: readonly string[];
  /** The variable that it is as a whole, such as `PORT` for `${PORT:?}`. */
  readonly variable: string | null;
}

export interface ListPart extends Marked {
  readonly kind: "list";
  readonly items: readonly Part[];
}

export interface MapPart extends Marked {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, PartEntry>;
}

export interface PartEntry {
  readonly key: Mark;
  readonly value: Part;
}

export function entry(map: MapPart, name: string): Part | null {
  const value = map.entries.get(name)?.value ?? null;
  return value === null || isNothing(value) ? null : value;
}

export function isNothing(part: Part): boolean {
  return part.tag === "reset" || (part.kind === "scalar" && part.value === null);
}

export function scalar(value: string | null, like: ScalarPart): ScalarPart {
  return { ...like, value, raw: value ?? "", variable: null };
}

export function map(entries: ReadonlyMap<string, PartEntry>, { mark, tag }: Marked): MapPart {
  return { kind: "map", entries, mark, tag };
}

export function list(items: readonly Part[], { mark, tag }: Marked): ListPart {
  return { kind: "list", items, mark, tag };
}

/** Why a scalar says nothing; null when it does. */
export function whyUnset({ unset }: ScalarPart): string | null {
  if (unset.length === 0) return null;
  return `${unset.join(", ")} ${unset.length === 1 ? "is" : "are"} not set.`;
}

/**
 * Compose takes numbers and words such as `true` for text where it wants text. Null, and reported,
 * for a list, a map and nothing.
 */
export function textOf(part: Part): string | null {
  if (part.kind !== "scalar" || part.value === null) {
    part.mark.error("wrong-type", `This must be text, not ${describe(part)}.`);
    return null;
  }
  const text = String(part.value);
  if (/[\0\p{Surrogate}]/u.test(text)) {
    part.mark.error("bad-character", "This text has a NUL or half a character in it: remove it.");
    return null;
  }
  return text;
}

export function mapOf(part: Part): MapPart | null {
  if (part.kind === "map") return part;
  part.mark.error("wrong-type", `This must be a map of keys and values, not ${describe(part)}.`);
  return null;
}

/** What a scalar says, read by `parse`, which gives null for what is no `wanted`. */
export function factOf<Value>(
  part: Part,
  parse: (text: string) => Value | null,
  wanted: string,
): Fact<Value> {
  const { where } = part.mark;
  const why = part.kind === "scalar" ? whyUnset(part) : null;
  if (why !== null) return unknown(why, where);
  const text = textOf(part);
  if (text === null) return unknown("This is no text.", where);
  const value = parse(text);
  if (value !== null) return known(value, where);
  part.mark.error("bad-value", `${JSON.stringify(shorten(text))} is no ${wanted}.`);
  return unknown(`This is no ${wanted}.`, where);
}

/** What a scalar says, or null where it says nothing that is known (reported, or a variable's). */
export function valueOf<Value>(
  part: Part | null,
  parse: (text: string) => Value | null,
  wanted: string,
): Value | null {
  if (part === null) return null;
  const fact = factOf(part, parse, wanted);
  return fact.known ? fact.value : null;
}

function shorten(text: string): string {
  const maxChars = 60;
  return text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
}

export function describe(part: Part): string {
  if (part.kind !== "scalar") return part.kind === "map" ? "a map" : "a list";
  return part.value === null ? "empty" : "a single value";
}
