import type { Fact } from "../../protocol/fact.ts";
import type { SourcePolicy } from "../../protocol/source-model.ts";
import type { Cluster, Workload } from "./cluster.ts";
import { selects } from "./labels.ts";
import type { ApiObject } from "./object.ts";
import { portOf } from "./probe.ts";
import { intOf } from "./value.ts";
import type { Value } from "./value.ts";

type Allow = SourcePolicy["allows"][number];

/** A range of ports is written out up to here. */
const maxRange = 100;

/** What NetworkPolicies allow, with the pods that their selectors take, by the model's names. */
export function readPolicies(cluster: Cluster): Fact<SourcePolicy>[] {
  return cluster.ofKind("NetworkPolicy").flatMap((policy) => {
    const { spec } = policy;
    if (spec === null) return [];
    // An absent selector is an empty one there.
    const selector = spec.get("podSelector");
    const chosen = cluster.workloads.filter(
      ({ object, labels }) =>
        object.namespace === policy.namespace && (selector === null || selects(selector, labels)),
    );
    if (chosen.length === 0) {
      policy.leave(policy.root, "Its selector takes no pod of these files.", "podSelector");
      return [];
    }
    return directionsOf(spec).map((direction) => {
      const rules = spec.items(direction);
      const context = { policy, cluster, chosen, direction };
      const at = spec.get(direction) ?? policy.root;
      return at.fact({
        name: policy.name,
        services: chosen.map(({ name }) => name),
        direction,
        allows: rules.flatMap((rule) => readRule(rule, context)),
      });
    });
  });
}

/** Without `policyTypes`: ingress always, egress where it is written (networking/v1). */
function directionsOf(spec: Value): ("ingress" | "egress")[] {
  const types = spec.texts("policyTypes") ?? [];
  if (types.length === 0) return spec.get("egress") === null ? ["ingress"] : ["ingress", "egress"];
  return (["ingress", "egress"] as const).filter((each) =>
    types.some((type) => type.toLowerCase() === each),
  );
}

interface Context {
  readonly policy: ApiObject;
  readonly cluster: Cluster;
  readonly chosen: readonly Workload[];
  readonly direction: "ingress" | "egress";
}

function readRule(rule: Value, context: Context): Allow[] {
  const { direction, chosen } = context;
  const key = direction === "ingress" ? "from" : "to";
  const peers = rule.items(key);
  const found = peers.length === 0 ? null : peersOf(peers, context);
  // A port's name is that of the pods that are called.
  const called = direction === "ingress" ? chosen : (found ?? []);
  const ports = portsOf(rule, called, context);
  if (ports === null) return [];
  return [{ peers: found === null ? null : found.map(({ name }) => name), ports }];
}

/** Null: anybody. */
function peersOf(peers: readonly Value[], { policy, cluster }: Context): Workload[] | null {
  const found = new Set<Workload>();
  for (const peer of peers) {
    const block = peer.get("ipBlock");
    if (block !== null) {
      const all = /^(?:0\.0\.0\.0|::)\/0$/.test(block.text("cidr") ?? "");
      if (all && block.items("except").length === 0) return null;
      policy.leave(block, "A mirror's addresses are others: a block of addresses says nothing.");
      continue;
    }
    const [pods, namespaces] = [peer.get("podSelector"), peer.get("namespaceSelector")];
    if (namespaces !== null) {
      policy.leave(namespaces, "Of other namespaces only the pods of these files are known.");
    }
    for (const workload of cluster.workloads) {
      const { namespace } = workload.object;
      const inside =
        namespaces === null
          ? namespace === policy.namespace
          : selects(namespaces, namespaceLabels(namespace, cluster));
      if (inside && (pods === null || selects(pods, workload.labels))) found.add(workload);
    }
  }
  return [...found];
}

/** Each namespace has a label with its own name. */
function namespaceLabels(name: string, cluster: Cluster): Map<string, string> {
  const object = cluster.ofKind("Namespace").find((each) => each.name === name);
  const labels = new Map(object?.labels);
  return labels.set("kubernetes.io/metadata.name", name);
}

/** Empty: all; null: none that can be said. */
function portsOf(
  rule: Value,
  called: readonly Workload[],
  { policy }: Context,
): Allow["ports"] | null {
  const given = rule.items("ports");
  if (given.length === 0) return [];
  const ports: Allow["ports"] = [];
  for (const item of given) {
    const protocol = item.text("protocol") || "TCP";
    const at = item.get("port");
    if (protocol === "SCTP") {
      policy.leave(item, "Oneloop leads TCP and UDP to a service.");
      continue;
    }
    const named = protocol === "UDP" ? ("udp" as const) : ("tcp" as const);
    if (at === null) {
      policy.leave(item, `All ports of ${protocol}: taken for all ports of all protocols.`);
      return [];
    }
    const first = intOf(at.node);
    const last = item.int("endPort") ?? first;
    if (first === null || last === null) {
      const numbers = called.map(({ pod }) => portOf(at, pod.items("containers")));
      for (const port of new Set(numbers)) if (port !== null) ports.push({ port, protocol: named });
      continue;
    }
    if (last - first >= maxRange) policy.leave(item, `Only its first ${maxRange} ports are read.`);
    for (let port = first; port <= Math.min(last, first + maxRange - 1); port += 1) {
      ports.push({ port, protocol: named });
    }
  }
  return ports.length === 0 ? null : ports;
}
