import type { Place } from "../protocol/fact.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceModel, SourcePolicy } from "../protocol/source-model.ts";
import type { Context } from "./context.ts";
import { side } from "./draft.ts";
import { nameOf } from "./pair.ts";
import type { Pair } from "./pair.ts";

/** That one service calls another, and where a source says so. */
interface Edge {
  readonly from: Pair;
  readonly to: Pair;
  /** What each side says of it. */
  readonly said: Partial<
    Record<"a" | "b", { readonly port: number | null; readonly where: Place }>
  >;
}

interface Verdict {
  readonly denied: boolean;
  /** The policy that decides. */
  readonly policy: { readonly name: string; readonly where: Place } | null;
}

/** Connections that one side's network policies refuse, and the other's do not. */
export function compareEdges(context: Context): void {
  const { draft, models } = context;
  if (models.a.policies.length === 0 && models.b.policies.length === 0) return;
  for (const { from, to, said } of edgesOf(context)) {
    if (from.a === null || from.b === null || to.a === null || to.b === null) continue;
    const [portA, portB] = [said.a?.port ?? null, said.b?.port ?? null];
    const one = judge(models.a, { from: from.a, to: to.a, port: portA ?? portB });
    const other = judge(models.b, { from: from.b, to: to.b, port: portB ?? portA });
    const same = one.denied === other.denied;
    draft.count(same);
    if (same) continue;
    const shown = (at: "a" | "b", { denied, policy }: Verdict, service: SourceService) =>
      side(
        denied ? `refused by ${policy?.name ?? "a policy"}` : "allowed",
        policy?.where ?? said[at]?.where ?? service.name.where,
      );
    draft.add({
      code: "denied-edge",
      service: from.name,
      subject: to.name,
      what: `${from.name} calls ${to.name}, which one side refuses.`,
      a: shown("a", one, from.a),
      b: shown("b", other, from.b),
    });
  }
}

function edgesOf({ pairs, addresses }: Context): Edge[] {
  const edges = new Map<string, Edge>();
  const byName = new Map(pairs.map((pair) => [pair.name, pair]));
  for (const from of pairs) {
    for (const at of ["a", "b"] as const) {
      const service = from[at];
      if (service === null) continue;
      for (const { text, where } of textsOf(service)) {
        for (const { target } of addresses[at].references(text)) {
          const to = target?.pair === null ? undefined : byName.get(target?.pair ?? "");
          if (to === undefined || to === from) continue;
          const key = `${from.name} ${to.name}`;
          const before = edges.get(key);
          const port = before?.said[at]?.port ?? target?.targetPort ?? null;
          const own = { port, where: before?.said[at]?.where ?? where };
          edges.set(key, { from, to, said: { ...before?.said, [at]: own } });
        }
      }
    }
  }
  return [...edges.values()];
}

function textsOf({ env, args, command }: SourceService): { text: string; where: Place }[] {
  const values = Object.values(env).flatMap((fact) => {
    if (!fact.known) return [];
    const { where, value } = fact;
    if (value.kind === "literal") return [{ text: value.value, where }];
    // The secret's place in a URL is a user's or a password's.
    if (value.kind !== "composed") return [];
    const text = value.parts.map((part) => ("text" in part ? part.text : "x")).join("");
    return [{ text, where }];
  });
  const vectors = [command, args].flatMap((fact) =>
    fact.known ? (fact.value ?? []).map((text) => ({ text, where: fact.where })) : [],
  );
  return [...values, ...vectors];
}

interface Call {
  readonly from: SourceService;
  readonly to: SourceService;
  readonly port: number | null;
}

/** Both ends must allow it: who is called (ingress) and who calls (egress). */
function judge(model: SourceModel, { from, to, port }: Call): Verdict {
  const policies = model.policies.flatMap((each) =>
    each.known ? [{ ...each.value, where: each.where }] : [],
  );
  for (const [direction, subject, peer] of [
    ["ingress", to, from],
    ["egress", from, to],
  ] as const) {
    const own = policies.filter(
      (each) => each.direction === direction && each.services.includes(podOf(subject)),
    );
    const [first] = own;
    if (first === undefined) continue;
    if (!own.some((each) => allows(each, podOf(peer), port)))
      return { denied: true, policy: first };
  }
  return { denied: false, policy: null };
}

/** Policies are of whole pods. */
function podOf(service: SourceService): string {
  return (service.partOf.known ? service.partOf.value : null) ?? nameOf(service);
}

function allows({ allows: rules }: SourcePolicy, peer: string, port: number | null): boolean {
  return rules.some(({ peers, ports }) => {
    if (peers !== null && !peers.includes(peer)) return false;
    return ports.length === 0 || port === null || ports.some((each) => each.port === port);
  });
}
