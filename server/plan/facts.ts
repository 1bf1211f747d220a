import type { Diagnostic } from "../protocol/errors.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { Fact } from "../protocol/fact.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";

type LeftOut = WorkspacePlan["leftOut"];

/** Turns facts into plain values, and keeps what was missing and what was left out. */
export class Facts {
  readonly leftOut: LeftOut;
  readonly #missing: string[] = [];
  readonly #diagnostics: Diagnostic[] = [];

  constructor(leftOut: readonly LeftOut[number][]) {
    this.leftOut = [...leftOut];
  }

  /** A value without which nothing can run; "" after its absence is noted. */
  need(fact: Fact<string>, what: string): string {
    if (fact.known) return fact.value;
    this.#missing.push(`${formatPlace(fact.where)}: ${what} is not known. ${fact.why}`);
    if ("file" in fact.where) {
      const message = `${what} is not known, and nothing runs without it: write it here. ${fact.why}`;
      const shape = { length: 1, severity: "error", code: "unknown-fact" } as const;
      this.#diagnostics.push({ ...fact.where, ...shape, message });
    }
    return "";
  }

  /** A value that can be done without: its absence is listed. */
  prefer<Value>(fact: Fact<Value>, { what, otherwise }: { what: string; otherwise: Value }): Value {
    if (fact.known) return fact.value;
    this.leftOut.push({ what, why: fact.why, where: fact.where });
    return otherwise;
  }

  /** The known ones of a list: the others are listed. */
  knownOf<Value>(list: readonly Fact<Value>[], what: string): Value[] {
    return list.flatMap((fact) => {
      if (fact.known) return [fact.value];
      this.leftOut.push({ what, why: fact.why, where: fact.where });
      return [];
    });
  }

  /** @throws OneloopError `plan-impossible` */
  throwIfMissing(): void {
    if (this.#missing.length === 0) return;
    throw new OneloopError(
      "plan-impossible",
      `The configuration leaves open what must be known. ${this.#missing.join(" ")}`,
      { diagnostics: this.#diagnostics },
    );
  }
}
