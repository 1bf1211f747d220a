import type { Place } from "../protocol/fact.ts";
import type { Because, PlannedOneShot } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";
import type { SourceApply, SourceModel } from "../protocol/source-model.ts";
import type { Facts } from "./facts.ts";

export interface OneShots {
  readonly oneShots: PlannedOneShot[];
  /** The services that run on: all but those that only an event runs. */
  readonly members: PlannedService[];
  readonly because: Because[];
}

/**
 * What events apply (devfile: `apply` commands of preStart and postStop): a container that runs to
 * its end, before the services start or after they stopped. It is not started beside them, unless a
 * command runs in it. Images are built before the start anyway; what else cannot be applied is listed.
 */
export function planOneShots(
  model: SourceModel,
  { own, facts }: { own: readonly PlannedService[]; facts: Facts },
): OneShots {
  const services = new Map(own.map((service) => [service.name, service]));
  const oneShots: PlannedOneShot[] = [];
  const because: Because[] = [];
  /** What stands for an apply where another needs it: itself, or, left out, what it needed. */
  const standIns = new Map<string, readonly string[]>();
  for (const apply of model.applies ?? []) {
    const { name, event, needs: given, where } = apply;
    const key = (of: string): string => `${event} ${of}`;
    const needs = [...new Set(given.flatMap((of) => standIns.get(key(of)) ?? []))];
    const service = serviceOf(apply, { services, facts });
    standIns.set(key(name), service === null ? needs : [name]);
    if (service === null) continue;
    const when = event === "preStart" ? "before-start" : "after-stop";
    oneShots.push({ name, when, needs, service });
    because.push({ part: `container ${name}`, where: placesOf(apply, where) });
    if (!service.dedicatedPod) continue;
    const why =
      "A container that runs once has the network of those it prepares, or tidies up after.";
    facts.leftOut.push({ what: `dedicatedPod of service ${service.name}`, why, where });
  }
  if (oneShots.length === 0) return { oneShots, members: [...own], because };
  const applied = new Set(oneShots.map(({ service }) => service.name));
  const entered = commandServices(model);
  const members = own.filter(({ name }) => !applied.has(name) || entered.has(name));
  return { oneShots, members, because };
}

function serviceOf(
  { name, of, kind, event, where }: SourceApply,
  { services, facts }: { services: ReadonlyMap<string, PlannedService>; facts: Facts },
): PlannedService | null {
  const leaveOut = (why: string): null => {
    facts.leftOut.push({ what: `${event} of command ${name}`, why, where });
    return null;
  };
  if (!of.known) return leaveOut(of.why);
  switch (kind) {
    case "service":
      return services.get(of.value) ?? leaveOut(`There is no container ${of.value}.`);
    case "image":
      return event === "preStart" ? null : leaveOut("Images are built before the start only.");
    case "manifest":
      // Those that preStart applies are there from the start: see `manifests.ts`.
      return event === "preStart" ? null : leaveOut("Kubernetes objects go with the workspace.");
    default:
      return kind satisfies never;
  }
}

/** Services that a command runs in: they have to be there. */
function commandServices({ tasks, commands = [] }: SourceModel): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { service } of tasks) if (service.known) names.add(service.value);
  for (const { runs } of commands) {
    if ("service" in runs && runs.service.known) names.add(runs.service.value);
  }
  return names;
}

function placesOf({ of }: SourceApply, where: Place): Place[] {
  return [where, of.where];
}
