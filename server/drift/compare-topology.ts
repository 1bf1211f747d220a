import type { Fact } from "../protocol/fact.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceRoute } from "../protocol/source-model.ts";
import { addUnknown } from "./context.ts";
import type { Both, Context } from "./context.ts";
import { side, sideOf } from "./draft.ts";
import { nameOf } from "./pair.ts";

/** Services that one side alone has. */
export function compareServices({ draft, pairs, models }: Context): void {
  for (const { name, a, b } of pairs) {
    const only = a ?? b;
    if (only === null || (a !== null && b !== null)) {
      draft.count(true);
      continue;
    }
    const role = only.role.known ? only.role.value : "service";
    const shown = (service: SourceService | null) =>
      service === null ? side(null, null) : sideOf(service.image, (image) => image);
    const external = (a === null ? models.a : models.b).externalNames ?? [];
    const outside = external.find((each) => each.known && each.value.name === name);
    if (outside !== undefined) {
      const led = sideOf(outside, ({ to }) => `leads to ${to}`);
      const sides = a === null ? { a: led, b: shown(b) } : { a: shown(a), b: led };
      addUnknown(draft, { code: "missing-service", service: name }, sides);
      continue;
    }
    const part = role === "init" || role === "sidecar";
    const code = part ? "side-container" : "missing-service";
    draft.count(false);
    const what = part
      ? `The ${role === "init" ? "init" : "side"} container ${name} is on one side only.`
      : `The ${role} ${name} is on one side only.`;
    draft.add({ code, service: name, what, a: shown(a), b: shown(b) });
  }
}

/** Ports that a service listens on, where both sides say any. */
export function comparePorts({ name, a, b }: Both, { draft }: Context): void {
  const of = (service: SourceService) =>
    new Map(
      service.endpoints.flatMap((each) =>
        each.known ? [[each.value.targetPort, each] as const] : [],
      ),
    );
  const [left, right] = [of(a), of(b)];
  if (left.size === 0 || right.size === 0) return;
  const only = (one: typeof left, other: typeof left) =>
    [...one].filter(([port]) => !other.has(port));
  const [onlyA, onlyB] = [only(left, right), only(right, left)];
  const same = onlyA.length === 0 && onlyB.length === 0;
  draft.count(same);
  if (same) return;
  const shown = (ports: typeof onlyA, all: typeof left, service: SourceService) => {
    const where = ports[0]?.[1].where ?? [...all.values()][0]?.where ?? service.name.where;
    return side([...all.keys()].toSorted((one, other) => one - other).join(", "), where);
  };
  const what = "It listens on other ports.";
  const sides = { a: shown(onlyA, left, a), b: shown(onlyB, right, b) };
  draft.add({ code: "port", service: name, what, ...sides });
}

/** Services that must be so far before this one starts; being merely started is no gate. */
export function compareOrder({ name, a, b }: Both, { draft, pairs }: Context): void {
  const of = (service: SourceService, at: "a" | "b") => {
    const gates = new Map<string, SourceService["dependsOn"][number]>();
    for (const fact of service.dependsOn) {
      if (!fact.known || fact.value.condition === "started" || !fact.value.required) continue;
      const target = pairs.find((each) => {
        const its = each[at];
        return its !== null && nameOf(its) === fact.value.service;
      });
      // Its own parts are compared as what they are.
      const part = target?.[at]?.partOf;
      if (part?.known === true && part.value !== null) continue;
      gates.set(`${target?.name ?? fact.value.service} ${fact.value.condition}`, fact);
    }
    return gates;
  };
  const [left, right] = [of(a, "a"), of(b, "b")];
  if (left.size === 0 && right.size === 0) return;
  const open = [a, b].map(({ dependsOn }) => dependsOn.find((each) => !each.known));
  if (open.some((each) => each !== undefined)) {
    const sideFor = (fact: (typeof open)[0], gates: typeof left, service: SourceService) =>
      fact === undefined ? shown(gates, service) : sideOf(fact, () => null);
    const sides = { a: sideFor(open[0], left, a), b: sideFor(open[1], right, b) };
    addUnknown(draft, { code: "start-order", service: name }, sides);
    return;
  }
  const same = left.size === right.size && [...left.keys()].every((key) => right.has(key));
  draft.count(same);
  if (same) return;
  const what = "It waits for others on one side only, or for other ones.";
  draft.add({ code: "start-order", service: name, what, a: shown(left, a), b: shown(right, b) });

  function shown(gates: typeof left, service: SourceService) {
    const [first] = gates.values();
    const text = [...gates.keys()].toSorted().join(", ");
    return side(text || "waits for nothing", first?.where ?? service.name.where);
  }
}

/** Ways from outside. Host names are of an environment, and are not compared. */
export function compareRoutes({ name, a, b }: Both, { draft, models }: Context): void {
  const of = (side: "a" | "b", service: SourceService) => {
    const found = new Map<string, Fact<SourceRoute>>();
    for (const route of models[side].routes) {
      if (!route.known || route.value.service !== nameOf(service)) continue;
      const path = route.value.path.replace(/(.)\/+$/, "$1");
      const before = found.get(path);
      // A path that has TLS for one host is a path with TLS.
      if (before === undefined || (before.known && !before.value.tls)) found.set(path, route);
    }
    return found;
  };
  const [left, right] = [of("a", a), of("b", b)];
  if (left.size === 0 && right.size === 0) return;
  const same = left.size === right.size && [...left.keys()].every((path) => right.has(path));
  draft.count(same);
  const first = (routes: typeof left) => [...routes.values()][0];
  const shown = (routes: typeof left, service: SourceService) =>
    side(
      [...routes.keys()].toSorted().join(", ") || "no way from outside",
      first(routes)?.where ?? service.name.where,
    );
  if (!same) {
    const what = "Other requests from outside reach it.";
    draft.add({ code: "route", service: name, what, a: shown(left, a), b: shown(right, b) });
  }
  for (const [path, one] of left) {
    const other = right.get(path);
    if (other === undefined || !one.known || !other.known) continue;
    const sameTls = one.value.tls === other.value.tls;
    draft.count(sameTls);
    if (sameTls) continue;
    const word = ({ tls }: SourceRoute) => (tls ? "TLS" : "no TLS");
    const sides = { a: sideOf(one, word), b: sideOf(other, word) };
    const what = `Requests to ${path} have TLS on one side only.`;
    draft.add({ code: "tls", service: name, subject: path, what, ...sides });
  }
}
