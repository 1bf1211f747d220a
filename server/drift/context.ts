import type { Fact } from "../protocol/fact.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import type { Addresses } from "./addresses.ts";
import type { FindingCode } from "./codes.ts";
import { sideOf } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Pair } from "./pair.ts";
import type { Redactor } from "./redact.ts";

export type Sides<Value> = Readonly<Record<"a" | "b", Value>>;

/** What all comparisons share. */
export interface Context {
  readonly draft: Draft;
  readonly redactor: Redactor;
  readonly models: Sides<SourceModel>;
  readonly pairs: readonly Pair[];
  readonly addresses: Sides<Addresses>;
}

/** A service that both sides have. */
export interface Both {
  readonly name: string;
  readonly a: SourceService;
  readonly b: SourceService;
}

export function bothOf(pairs: readonly Pair[]): Both[] {
  return pairs.flatMap(({ name, a, b }) => (a === null || b === null ? [] : [{ name, a, b }]));
}

export interface FactPair<Value> {
  readonly code: FindingCode;
  readonly service: string;
  readonly subject?: string;
  readonly what: string;
  readonly a: Fact<Value>;
  readonly b: Fact<Value>;
}

export interface HowTo<Value> {
  readonly same: (a: Value, b: Value) => boolean;
  readonly show: (value: Value) => string | null;
}

/**
 * Compares one fact. Where one side does not know it there is no difference, only something that is
 * not known; where neither does, nothing at all.
 */
export function compareFact<Value>(
  draft: Draft,
  pair: FactPair<Value>,
  { same, show }: HowTo<Value>,
): void {
  const { code, service, subject, what, a, b } = pair;
  // Showing takes longer than comparing, and most facts are the same.
  const sides = () => ({ a: sideOf(a, show), b: sideOf(b, show) });
  if (a.known && b.known) {
    const isSame = same(a.value, b.value);
    draft.count(isSame);
    if (isSame) return;
    draft.add({ code, service, ...(subject === undefined ? {} : { subject }), what, ...sides() });
  } else if (a.known !== b.known) {
    addUnknown(draft, { code, service, subject }, sides());
  }
}

/** Something that one side does not say. */
export function addUnknown(
  draft: Draft,
  { code, service, subject }: { code: FindingCode; service: string; subject?: string | undefined },
  sides: Pick<Parameters<Draft["add"]>[0], "a" | "b">,
): void {
  const of = subject === undefined ? code : `${code} ${subject}`;
  const what = `Whether ${of} is the same is not known.`;
  draft.add({ code: "unknown", service, subject: of, what, ...sides });
}
