import type { DriftFinding } from "../protocol/drift.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { Addresses } from "./addresses.ts";
import { compareEdges } from "./compare-edges.ts";
import { compareEnv } from "./compare-env.ts";
import { compareProbes } from "./compare-probes.ts";
import { compareProcess } from "./compare-process.ts";
import { compareStorage } from "./compare-storage.ts";
import { compareOrder, comparePorts, compareRoutes, compareServices } from "./compare-topology.ts";
import { bothOf } from "./context.ts";
import type { Context } from "./context.ts";
import { Draft } from "./draft.ts";
import { pairServices } from "./pair.ts";
import { Redactor } from "./redact.ts";

export interface Comparison {
  readonly findings: readonly DriftFinding[];
  /** Facts that both sides say, and how many of them are the same. */
  readonly comparable: number;
  readonly equal: number;
}

/**
 * Compares two sources by what they mean. The result is the same, with its sides exchanged, whichever
 * comes first; a source has no difference to itself. No secret's value is in it.
 */
export function compare(a: SourceModel, b: SourceModel): Comparison {
  const pairs = pairServices(a, b);
  const draft = new Draft();
  const context: Context = {
    draft,
    redactor: new Redactor(a, b),
    models: { a, b },
    pairs,
    addresses: { a: new Addresses(a, pairs, "a"), b: new Addresses(b, pairs, "b") },
  };
  const both = bothOf(pairs);
  // What others are effects of comes first.
  compareServices(context);
  for (const each of both) comparePorts(each, context);
  for (const each of both) {
    compareProcess(each, context);
    compareProbes(each, context);
    compareEnv(each, context);
    compareStorage(each, context);
    compareOrder(each, context);
    compareRoutes(each, context);
  }
  compareEdges(context);
  return { findings: draft.findings(), comparable: draft.comparable, equal: draft.equal };
}
