import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { Endpoint, NetworkName } from "../../protocol/service.ts";
import type { Cluster, Workload } from "./cluster.ts";
import type { ApiObject } from "./object.ts";
import { portOf } from "./probe.ts";
import type { Value } from "./value.ts";

/** What a Service gives to the pods that it leads to. */
interface Addressed {
  readonly names: Fact<NetworkName>[];
  /** Ports that a Service leads to and that no container declares. */
  readonly endpoints: Fact<Endpoint>[];
}

/** Names of single pods are listed for so many copies. */
const maxPodNames = 20;

/** All names of a Service's host, from the shortest: RFC 1123 names of the cluster's resolver. */
export function hostNames(name: string, namespace: string): string[] {
  const short = `${name}.${namespace}`;
  return [name, short, `${short}.svc`, `${short}.svc.cluster.local`];
}

/** The names and ports by which others reach a workload's pods. */
export function readNames(workload: Workload, cluster: Cluster): Addressed {
  const addressed: Addressed = { names: [], endpoints: [] };
  const { object } = workload;
  const services = cluster
    .servicesOf(workload)
    .filter((service) => service.spec?.text("type") !== "ExternalName");
  for (const service of services) {
    const ports = readPorts(service, workload, addressed);
    // Without an address of its own its name leads to the pods themselves, and to all their ports.
    const headless = service.spec?.text("clusterIP") === "None";
    for (const name of hostNames(service.name, service.namespace)) {
      addressed.names.push(service.root.fact({ name, ports: headless ? [] : ports }));
    }
    if (headless && object.kind === "StatefulSet") addPodNames(service, workload, addressed);
  }
  return addressed;
}

/** `web-0.web`: each copy of a StatefulSet has a name below its governing Service. */
function addPodNames(service: ApiObject, { object }: Workload, { names }: Addressed): void {
  if (object.spec?.text("serviceName") !== service.name) return;
  const copies = object.spec.int("replicas") ?? 1;
  for (let copy = 0; copy < Math.min(copies, maxPodNames); copy += 1) {
    const prefix = `${object.name}-${copy}`;
    for (const host of hostNames(service.name, service.namespace)) {
      names.push(service.root.fact({ name: `${prefix}.${host}`, ports: [] }));
    }
  }
}

function readPorts(
  service: ApiObject,
  { pod, object }: Workload,
  { endpoints }: Addressed,
): NetworkName["ports"] {
  const containers = [...pod.items("containers"), ...pod.items("initContainers")];
  return (service.spec?.items("ports") ?? []).flatMap((port) => {
    const number = port.int("port");
    const targetPort = targetOf(port, containers);
    const protocol = port.text("protocol") || "TCP";
    if (number === null) return [];
    if (targetPort === null || protocol === "SCTP") {
      const why =
        protocol === "SCTP"
          ? "Oneloop leads TCP and UDP to a service."
          : `${object.kind}/${object.name} names no port ${port.get("targetPort")?.raw ?? ""}.`;
      service.leave(port, why);
      return [];
    }
    const declared = containers.some((each) =>
      each.items("ports").some((own) => own.int("containerPort") === targetPort),
    );
    const added = endpoints.some((each) => each.known && each.value.targetPort === targetPort);
    const udp = protocol === "UDP";
    if (!declared && !added) {
      endpoints.push(
        port.fact({
          name: port.text("name") ?? `port-${targetPort}`,
          targetPort,
          exposure: "internal",
          protocol: udp ? "udp" : "tcp",
          secure: false,
          path: null,
        }),
      );
    }
    return [{ port: number, targetPort, protocol: udp ? ("udp" as const) : ("tcp" as const) }];
  });
}

/** Where a Service's port leads: the same number, unless it says another, or a name of a port. */
export function targetOf(port: Value, containers: readonly Value[]): number | null {
  const target = port.get("targetPort");
  const absent = target === null || target.raw === "" || target.scalar === 0;
  return absent ? port.int("port") : portOf(target, containers);
}

/** Services that lead out of the cluster, and what Docker has not of the others. */
export function readOtherServices(cluster: Cluster): Fact<{ name: string; to: string }>[] {
  return cluster.ofKind("Service").flatMap((service) => {
    const { spec, name, namespace, root } = service;
    const type = spec?.text("type") || "ClusterIP";
    const external = spec?.text("externalName") ?? null;
    const outside = (to: string) =>
      hostNames(name, namespace).map((each) => known({ name: each, to }, root.where));
    if (type === "ExternalName" && external !== null) {
      service.leave(root, `It leads out of the cluster, to ${external}.`, "ExternalName");
      return outside(external);
    }
    if (type === "NodePort" || type === "LoadBalancer") {
      const what = type === "NodePort" ? "port of the machine" : "load balancer";
      service.leave(
        spec?.get("type") ?? root,
        `A mirror has no ${what}: its ports have addresses.`,
        type,
      );
    }
    if ((spec?.map("selector").size ?? 0) === 0) {
      service.leave(root, "It has no selector: what it leads to is not in it.", "no selector");
      return outside("what its endpoints say");
    }
    if (cluster.selectedBy(service).length === 0) {
      service.leave(root, "Its selector takes no pod of these files.", "selector");
    }
    return [];
  });
}
