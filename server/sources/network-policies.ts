import { known } from "../protocol/fact.ts";
import type { Fact, Place } from "../protocol/fact.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourcePolicy } from "../protocol/source-model.ts";

type Ports = SourcePolicy["allows"][number]["ports"];

/** A service, and the networks that its containers are on. */
export interface Attached {
  readonly name: string;
  readonly networks: readonly string[];
  /** Ports that the machine hands on, whoever calls. */
  readonly published: Ports;
  readonly where: Place;
}

/**
 * Docker's networks as policies: services talk to those on a network with them only, and those on
 * internal networks alone do not reach the internet. One policy for each group of services on the
 * same networks that it concerns.
 *
 * @param options.isInternal whether a network of this name leads nowhere else
 * @param options.spend called with the size of each policy before it is made: services on many
 * networks make many large ones
 */
export function networkPolicies(
  services: readonly Attached[],
  {
    isInternal,
    spend,
  }: {
    readonly isInternal: (network: string) => boolean;
    readonly spend?: (names: number) => void;
  },
): Fact<SourcePolicy>[] {
  const members = membersOf(services);
  return groups(services).flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { networks, where } = first;
    const peers = [...new Set(networks.flatMap((network) => members.get(network) ?? []))];
    const name = networks.length === 0 ? "no network" : `networks ${networks.join(", ")}`;
    const policy = (direction: "ingress" | "egress", names: string[], ports: Ports) => {
      spend?.(peers.length + names.length);
      const open = ports.length === 0 ? [] : [{ peers: null, ports: [...ports] }];
      const allows = [{ peers, ports: [] }, ...open];
      return known({ name, services: names, direction, allows }, where);
    };
    // Nothing is kept from those that all can reach; a policy for each would be one for each pair.
    const kept = peers.length < services.length ? withOwnPorts(group) : [];
    const ingress = kept.map(({ names, ports }) => policy("ingress", names, ports));
    if (!networks.every(isInternal)) return ingress;
    const names = group.map((each) => each.name);
    return [...ingress, policy("egress", names, [])];
  });
}

/** The ports that the machine hands on to a service. */
export function publishedOf({ endpoints }: Pick<SourceService, "endpoints">): Ports {
  return endpoints.flatMap((each): Ports => {
    if (!each.known || each.value.exposure !== "public") return [];
    const { targetPort, protocol } = each.value;
    return [{ port: targetPort, protocol: protocol === "udp" ? "udp" : "tcp" }];
  });
}

function membersOf(services: readonly Attached[]): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const { name, networks } of services) {
    for (const network of networks) {
      const all = members.get(network);
      if (all === undefined) members.set(network, [name]);
      else all.push(name);
    }
  }
  return members;
}

/** Services on the same networks, as one. */
function groups(services: readonly Attached[]): Attached[][] {
  const found = new Map<string, Attached[]>();
  for (const service of services) {
    const key = service.networks.toSorted().join("\n");
    const group = found.get(key);
    if (group === undefined) found.set(key, [service]);
    else group.push(service);
  }
  return [...found.values()];
}

/** Those that publish ports one by one, the others together. */
function withOwnPorts(group: readonly Attached[]): { names: string[]; ports: Ports }[] {
  const quiet = group.filter(({ published }) => published.length === 0).map(({ name }) => name);
  const open = group.filter(({ published }) => published.length > 0);
  return [
    ...(quiet.length === 0 ? [] : [{ names: quiet, ports: [] }]),
    ...open.map(({ name, published }) => ({ names: [name], ports: published })),
  ];
}
