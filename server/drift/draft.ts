import type { DriftEffect, DriftFinding, DriftSide } from "../protocol/drift.ts";
import type { Fact, Place } from "../protocol/fact.ts";
import { codes } from "./codes.ts";
import type { FindingCode } from "./codes.ts";
import { compareText } from "./pair.ts";

export interface Difference {
  readonly code: FindingCode;
  readonly service: string;
  readonly subject?: string;
  readonly what: string;
  readonly a: DriftSide;
  readonly b: DriftSide;
}

const order = ["breaking", "behavioural", "info", "unknown"];

/** Collects differences by their causes, and counts what was compared. */
export class Draft {
  comparable = 0;
  equal = 0;
  readonly #byId = new Map<string, DriftFinding>();

  /** Counts one fact that both sides say. */
  count(same: boolean): void {
    this.comparable += 1;
    if (same) this.equal += 1;
  }

  add(difference: Difference): void {
    const { code, service, subject = null, what, a, b } = difference;
    const id = idOf(difference);
    if (this.#byId.has(id)) {
      this.alsoBy(id, { what, a, b });
      return;
    }
    this.#byId.set(id, {
      id,
      code,
      class: codes[code].class,
      service,
      subject,
      what,
      a,
      b,
      why: codes[code].why,
      acknowledge: acknowledgement(id),
      also: [],
      acknowledged: null,
    });
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Another effect of a cause that is found already. */
  alsoBy(id: string, effect: DriftEffect): void {
    this.#byId.get(id)?.also.push(effect);
  }

  findings(): DriftFinding[] {
    return [...this.#byId.values()].toSorted(
      (one, other) =>
        order.indexOf(one.class) - order.indexOf(other.class) ||
        compareText(one.service, other.service) ||
        compareText(one.id, other.id),
    );
  }
}

export function idOf({
  code,
  service,
  subject,
}: Pick<Difference, "code" | "service" | "subject">): string {
  return [code, service, ...(subject === undefined ? [] : [subject])].join(":");
}

function acknowledgement(id: string): string {
  return [
    `- finding: ${JSON.stringify(id)}`,
    "  reason: why it is accepted",
    "  owner: who answers for it",
    "  expires: YYYY-MM-DD",
  ].join("\n");
}

export function side(value: string | null, where: Place | null): DriftSide {
  return { value, where };
}

/** A fact's place with a text for its value. */
export function sideOf<Value>(fact: Fact<Value>, show: (value: Value) => string | null): DriftSide {
  return side(fact.known ? show(fact.value) : `not known: ${fact.why}`, fact.where);
}
