import type { Probe } from "../protocol/service.ts";
import { program } from "./compare-process.ts";
import { compareFact } from "./context.ts";
import type { Both, Context } from "./context.ts";
import { side } from "./draft.ts";
import { compareText } from "./pair.ts";

const probes = ["readiness", "liveness", "startup"] as const;
/** Formats that have one check for what Kubernetes asks in three. */
const oneCheck = new Set(["compose", "containers"]);

/** One finding for all checks of a service: they are written together, and mended together. */
export function compareProbes({ name, a, b }: Both, { draft, models, redactor }: Context): void {
  const of = (service: Both["a"]) =>
    probes.flatMap((kind) => {
      const fact = service[kind];
      return fact.known && fact.value !== null
        ? [{ kind, where: fact.where, probe: fact.value }]
        : [];
    });
  const unknowns = (service: Both["a"]) => probes.filter((kind) => !service[kind].known);
  const kinds = [unknowns(a).length, unknowns(b).length];
  if (kinds.some((count) => count > 0)) {
    const kind = unknowns(a)[0] ?? unknowns(b)[0] ?? "readiness";
    const fact = { a: a[kind], b: b[kind] };
    if (fact.a.known === fact.b.known) return;
    compareFact(
      draft,
      { code: "probe", service: name, what: "Checks differ.", ...fact },
      {
        same: () => true,
        show: (probe) => (probe === null ? "none" : redactor.text(showProbe(probe))),
      },
    );
    return;
  }
  const loose = [models.a, models.b].some(({ format }) => oneCheck.has(format));
  const keys = (service: Both["a"]) =>
    new Set(of(service).map(({ kind, probe }) => (loose ? "" : kind) + keyOfProbe(probe)));
  const [left, right] = [keys(a), keys(b)];
  const within = (one: Set<string>, other: Set<string>) => [...one].every((key) => other.has(key));
  const some = left.size > 0 && right.size > 0;
  const same =
    loose && some
      ? within(left, right) || within(right, left)
      : within(left, right) && within(right, left);
  if (left.size === 0 && right.size === 0) return;
  draft.count(same);
  if (same) return;
  const shown = (service: Both["a"]) => {
    const [first] = of(service);
    const all = of(service).map(({ kind, probe }) => `${kind}: ${showProbe(probe)}`);
    const text = all.length === 0 ? "none" : redactor.text(all.join("; "));
    return side(text, first?.where ?? service.name.where);
  };
  draft.add({ code: "probe", service: name, what: "Checks differ.", a: shown(a), b: shown(b) });
}

function keyOfProbe({ check, ...times }: Probe): string {
  const what = check.kind === "exec" ? ["exec", shellLine(check.command)] : sortedEntries(check);
  return JSON.stringify([what, sortedEntries(times)]);
}

function sortedEntries(of: object): [string, unknown][] {
  return Object.entries(of).toSorted(([one], [other]) => compareText(one, other));
}

/** A line and the same line through a shell are one check. */
function shellLine(command: readonly string[]): string {
  const [shell = "", flag, line] = program(command);
  return shell === "sh" && flag === "-c" && line !== undefined ? line : program(command).join(" ");
}

function showProbe({ check, periodS, timeoutS, failures }: Probe): string {
  const times = `every ${periodS} s, ${timeoutS} s, ${failures} failures`;
  switch (check.kind) {
    case "http":
      return `${check.scheme} :${check.port}${check.path} ${times}`;
    case "tcp":
      return `tcp :${check.port} ${times}`;
    case "grpc":
      return `grpc :${check.port} ${times}`;
    case "exec":
      return `${check.command[0] ?? ""} … ${times}`;
  }
}
