import { known } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import type { SourcePolicy } from "../../protocol/source-model.ts";

/** A service, and the networks that its containers are on. */
export interface Attached {
  readonly name: string;
  readonly networks: readonly string[];
  /** Ports that the machine hands on, whoever calls. */
  readonly published: SourcePolicy["allows"][number]["ports"];
  readonly where: Place;
}

/**
 * Containers talk to those on a network with them only, and those on internal networks alone do not
 * reach the internet: the same policies that a compose file's networks are read as.
 *
 * @param internal names of networks that lead nowhere else
 */
export function networkPolicies(
  services: readonly Attached[],
  internal: ReadonlySet<string>,
): Fact<SourcePolicy>[] {
  const members = new Map<string, string[]>();
  for (const { name, networks } of services) {
    for (const network of networks) {
      const all = members.get(network);
      if (all === undefined) members.set(network, [name]);
      else all.push(name);
    }
  }
  return groups(services).flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { networks, where } = first;
    const peers = [...new Set(networks.flatMap((network) => members.get(network) ?? []))];
    const said = networks.length === 0 ? "no network" : `networks ${networks.join(", ")}`;
    const policy = (direction: "ingress" | "egress", of: readonly Attached[]) => {
      const ports = direction === "ingress" ? (of[0]?.published ?? []) : [];
      const open = ports.length === 0 ? [] : [{ peers: null, ports: [...ports] }];
      const allows = [{ peers, ports: [] }, ...open];
      const names = of.map(({ name }) => name);
      return known({ name: said, services: names, direction, allows }, where);
    };
    const quiet = group.filter(({ published }) => published.length === 0);
    const open = group.filter(({ published }) => published.length > 0);
    const alike = [...(quiet.length === 0 ? [] : [quiet]), ...open.map((each) => [each])];
    const isParted = peers.length < services.length;
    const isInside = networks.every((network) => internal.has(network));
    return [
      ...(isParted ? alike.map((each) => policy("ingress", each)) : []),
      ...(isInside ? [policy("egress", group)] : []),
    ];
  });
}

/** Services on the same networks, as one. */
function groups(services: readonly Attached[]): Attached[][] {
  const found = new Map<string, Attached[]>();
  for (const service of services) {
    const key = service.networks.join("\n");
    const group = found.get(key);
    if (group === undefined) found.set(key, [service]);
    else group.push(service);
  }
  return [...found.values()];
}
