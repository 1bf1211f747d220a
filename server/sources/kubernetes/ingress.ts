import type { Fact } from "../../protocol/fact.ts";
import type { SourceRoute } from "../../protocol/source-model.ts";
import type { Cluster } from "./cluster.ts";
import { targetOf } from "./names.ts";
import type { ApiObject } from "./object.ts";
import type { Value } from "./value.ts";

/** The ways from outside that an Ingress names, to the workloads behind its Services. */
export function readRoutes(cluster: Cluster): Fact<SourceRoute>[] {
  return cluster.ofKind("Ingress").flatMap((ingress) => {
    const { spec } = ingress;
    if (spec === null) return [];
    const secured = securedHosts(spec);
    const routes: Fact<SourceRoute>[] = [];
    const add = (backend: Value | null, host: string | null, path: string): void => {
      if (backend === null) return;
      const target = targetOfBackend(backend, ingress, cluster);
      if (target === null) return;
      const tls = secured === "all" || (host !== null && secured.has(host));
      routes.push(backend.fact({ host, path, ...target, tls }));
    };
    for (const rule of spec.items("rules")) {
      const host = rule.text("host") || null;
      for (const path of rule.get("http")?.items("paths") ?? []) {
        if (path.text("pathType") === "Exact") {
          ingress.leave(path.get("pathType") ?? path, "The mirror leads all below the path there.");
        }
        add(path.get("backend"), host, path.text("path") || "/");
      }
    }
    add(spec.get("defaultBackend"), null, "/");
    return routes;
  });
}

/** Hosts with a certificate; one without hosts is for all. */
function securedHosts(spec: Value): ReadonlySet<string> | "all" {
  const entries = spec.items("tls");
  if (entries.some((each) => (each.texts("hosts") ?? []).length === 0)) return "all";
  return new Set(entries.flatMap((each) => each.texts("hosts") ?? []));
}

function targetOfBackend(
  backend: Value,
  ingress: ApiObject,
  cluster: Cluster,
): { service: string; port: number } | null {
  const service = backend.get("service");
  if (service === null) {
    ingress.leave(backend, "It leads to an object that is no Service.");
    return null;
  }
  const name = service.text("name") ?? "";
  const found = cluster.find("Service", ingress, name);
  const [workload] = found === null ? [] : cluster.selectedBy(found);
  if (found === null || workload === undefined) {
    const why = found === null ? "is not in these files" : "leads to no pod of these files";
    ingress.leave(service, `Service ${name} ${why}.`);
    return null;
  }
  const wanted = service.get("port");
  const [number, portName] = [wanted?.int("number") ?? null, wanted?.text("name") ?? null];
  const port = found.spec
    ?.items("ports")
    .find((each) =>
      number === null ? each.text("name") === portName : each.int("port") === number,
    );
  const target = port === undefined ? null : targetOf(port, workload.pod.items("containers"));
  if (target === null) {
    ingress.leave(service, `Service ${name} has no port ${number ?? portName ?? ""}.`);
    return null;
  }
  return { service: workload.name, port: target };
}
