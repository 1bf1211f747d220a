import type { Place } from "../protocol/fact.ts";
import type { SourceManifest, SourceModel } from "../protocol/source-model.ts";
import { readKubernetes } from "../sources/kubernetes/read.ts";
import type { Facts } from "./facts.ts";

/**
 * The topology around the dev service: production's, and the services of the devfile's own Kubernetes
 * objects (`kubernetes` and `openshift` components), which run as production's do. Of two with one
 * name production's counts. What of the objects is not run is listed. Null: there is none.
 */
export function withManifests(
  development: SourceModel,
  production: SourceModel | null,
  facts: Facts,
): SourceModel | null {
  const started = (development.manifests ?? []).flatMap((manifest) => {
    const why = whyNot(manifest, development);
    if (why === null) return [manifest];
    leaveOut(manifest, why, facts);
    return [];
  });
  const files = started.flatMap(({ objects }) =>
    objects?.known === true ? [{ path: objects.value.file, text: objects.value.text }] : [],
  );
  if (files.length === 0) return production;
  for (const { name, endpoints } of started) {
    const [first] = endpoints;
    if (first === undefined) continue;
    const why = "The ports that the objects themselves say hold.";
    facts.leftOut.push({ what: `endpoints of component "${name}"`, why, where: first.where });
  }
  const read = readKubernetes(files);
  const own = read.ok ? read.model : (read.rest ?? null);
  for (const { severity, message, file, line, column } of read.ok ? [] : read.diagnostics) {
    if (severity !== "error") continue;
    facts.leftOut.push({
      what: "a Kubernetes object",
      why: message,
      where: { file, line, column },
    });
  }
  if (own === null) return production;
  return production === null ? own : joined(production, own, facts);
}

/** Why a component's objects are not started, and where that stands; null where they are. */
function whyNot(
  { name, kind, objects, deployByDefault }: SourceManifest,
  { applies = [] }: SourceModel,
): { readonly why: string; readonly where?: Place } | null {
  const applied = applies.some(
    (one) =>
      one.kind === "manifest" && one.event === "preStart" && one.of.known && one.of.value === name,
  );
  if (!applied && deployByDefault.known && deployByDefault.value === false) {
    const why = "It is not deployed by default, and nothing applies it at the start.";
    return { why, where: deployByDefault.where };
  }
  if (objects === undefined) return { why: `What a component of kind ${kind} says was not read.` };
  return objects.known ? null : { why: objects.why, where: objects.where };
}

function leaveOut(
  { name, kind, where: at }: SourceManifest,
  { why, where = at }: { readonly why: string; readonly where?: Place },
  facts: Facts,
): void {
  facts.leftOut.push({ what: `component "${name}" (${kind})`, why, where });
}

function joined(production: SourceModel, own: SourceModel, facts: Facts): SourceModel {
  const names = new Set(
    production.services.flatMap(({ name }) => (name.known ? [name.value] : [])),
  );
  const services = own.services.filter(({ name }) => {
    if (!name.known || !names.has(name.value)) return true;
    const why = "Production has a service of this name, which runs in its place.";
    facts.leftOut.push({ what: `service ${name.value} of the devfile`, why, where: name.where });
    return false;
  });
  const volumes = new Set(
    production.volumes.flatMap(({ name }) => (name.known ? [name.value] : [])),
  );
  return {
    ...production,
    services: [...production.services, ...services],
    volumes: [
      ...production.volumes,
      ...own.volumes.filter(({ name }) => name.known && !volumes.has(name.value)),
    ],
    routes: [...production.routes, ...own.routes],
    policies: [...production.policies, ...own.policies],
    leftOut: [...production.leftOut, ...own.leftOut],
  };
}
