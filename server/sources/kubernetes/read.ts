import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { Diagnostic } from "../../protocol/errors.ts";
import type { SourceService } from "../../protocol/service.ts";
import type { LeftOut, SourceModel, SourceVolume } from "../../protocol/source-model.ts";
import type { ReadResult } from "../result.ts";
import type { SourceText } from "../yaml/source-text.ts";
import { Cluster } from "./cluster.ts";
import { readRoutes } from "./ingress.ts";
import { readNames, readOtherServices } from "./names.ts";
import type { ApiObject } from "./object.ts";
import { beginningOf, findObjects } from "./objects.ts";
import type { KubernetesFile, Objects } from "./objects.ts";
import { readPod } from "./pod.ts";
import { readPolicies } from "./policies.ts";
import { checkRules } from "./rules.ts";
import { addUnusedClaims } from "./volumes.ts";

/**
 * Reads Kubernetes objects: plain files, lists, rendered charts; docs/kubernetes.md says it for
 * users. All files are one cluster: a Service finds its pods across them. An object that the API
 * would not take is reported in the API's words and left out; the others are read (`rest`). Never
 * throws, whatever the texts are. The data of a Secret is not in the result.
 */
export function readKubernetes(files: readonly KubernetesFile[]): ReadResult {
  const leftOut: LeftOut[] = [];
  const found = findObjects(files, leftOut);
  for (const object of found.objects) checkRules(object);
  const { sources } = found;
  if (found.objects.length === 0 && !sources.some(({ hasErrors }) => hasErrors)) {
    return { ok: false, diagnostics: [nothing(sources)] };
  }
  const model = readModel(found, leftOut);
  const diagnostics = sources.flatMap((source) => source.diagnostics());
  return sources.some(({ hasErrors }) => hasErrors)
    ? { ok: false, diagnostics, rest: model }
    : { ok: true, model, warnings: diagnostics };
}

function readModel({ objects, sources }: Objects, leftOut: LeftOut[]): SourceModel {
  const whole = objects.filter(({ broken }) => !broken);
  for (const object of objects) if (object.broken) leaveBroken(object);
  const cluster = new Cluster(whole, leftOut);
  const volumes = new Map<string, SourceVolume>();
  const taken = new Set(cluster.workloads.map(({ name }) => name));
  const services = cluster.workloads.flatMap((workload) => {
    const [main, ...parts] = readPod({ workload, cluster, volumes }, taken);
    if (main === undefined) return [];
    return [addressed(main, cluster), ...parts];
    function addressed(service: SourceService, of: Cluster): SourceService {
      const { names, endpoints } = readNames(workload, of);
      return { ...service, names, endpoints: [...service.endpoints, ...endpoints] };
    }
  });
  addUnusedClaims(cluster, volumes);
  const externalNames = readOtherServices(cluster);
  leaveWithoutEffect(cluster);
  const routes = readRoutes(cluster);
  const open = new Set(routes.flatMap((each) => (each.known ? [routeKey(each.value)] : [])));
  return {
    format: "kubernetes",
    name: nameOf(objects, sources),
    services: services.map((service) => withExposure(service, open)),
    volumes: [...volumes.values()],
    tasks: [],
    projects: [],
    routes,
    policies: readPolicies(cluster),
    ...(externalNames.length === 0 ? {} : { externalNames }),
    leftOut: leftOut.toSorted(byPlace),
  };
}

function routeKey({ service, port }: { service: string; port: number }): string {
  return `${service}:${port}`;
}

/** What an Ingress leads to is open to the outside, and speaks HTTP. */
function withExposure(service: SourceService, open: ReadonlySet<string>): SourceService {
  const name = service.name.known ? service.name.value : "";
  const endpoints = service.endpoints.map((each): (typeof service.endpoints)[number] => {
    if (!each.known) return each;
    const { value } = each;
    if (!open.has(routeKey({ service: name, port: value.targetPort }))) return each;
    return known({ ...value, exposure: "public", protocol: "http" }, each.where);
  });
  return { ...service, endpoints };
}

function leaveBroken(object: ApiObject): void {
  object.leave(object.root, "Kubernetes would not take it: see the mistakes.", "all of it");
}

/** Kinds that are read and that change nothing of what runs here. */
function leaveWithoutEffect(cluster: Cluster): void {
  for (const account of cluster.ofKind("ServiceAccount")) {
    account.leave(account.root, "A workspace has no Kubernetes API.", "all of it");
  }
  for (const scaler of cluster.ofKind("HorizontalPodAutoscaler")) {
    const { spec } = scaler;
    const range = `${spec?.int("minReplicas") ?? 1} to ${spec?.int("maxReplicas") ?? "?"} copies`;
    scaler.leave(scaler.root, "Docker has no autoscaler: the mirror runs one copy.", range);
  }
}

/** The namespace, where all objects that name one name the same. */
function nameOf(objects: readonly ApiObject[], sources: readonly SourceText[]): Fact<string> {
  const named = objects.flatMap((object) => {
    const at = object.root.at("metadata", "namespace");
    return at === null ? [] : [at.fact(object.namespace)];
  });
  const [first] = named;
  const names = new Set(named.map((each) => (each.known ? each.value : "")));
  if (first !== undefined && names.size === 1) return first;
  const why = names.size === 0 ? "name no namespace" : "are of several namespaces";
  return unknown(`The objects ${why}.`, beginningOf(sources));
}

function nothing(sources: readonly SourceText[]): Diagnostic {
  const at = beginningOf(sources);
  return {
    file: "file" in at ? at.file : "kubernetes",
    line: 1,
    column: 1,
    length: 1,
    severity: "error",
    code: "no-objects",
    message: "No Kubernetes object of a kind that is read stands here.",
  };
}

function byPlace(a: LeftOut, b: LeftOut): number {
  const [one, other] = [a.where, b.where];
  if (!("file" in one) || !("file" in other)) return 0;
  if (one.file !== other.file) return one.file < other.file ? -1 : 1;
  return one.line - other.line || one.column - other.column;
}

export type { KubernetesFile };
