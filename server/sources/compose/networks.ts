import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { NetworkName } from "../../protocol/service.ts";
import type { SourcePolicy } from "../../protocol/source-model.ts";
import { attachmentKeys, networkKeys } from "./keys.ts";
import { textOf } from "./part.ts";
import type { Mark } from "./part.ts";
import { referredTo } from "./project.ts";
import type { NamedService, Project } from "./project.ts";
import { Section } from "./section.ts";
import { anyText, truth } from "./values.ts";

/** The networks of a service, by their names; where each is asked for. */
export type Attachments = ReadonlyMap<string, Mark>;

/** All names by which others reach a service, and the networks that it is on. */
export function readNetworks(
  { name, key, section: service }: NamedService,
  project: Project,
): { names: Fact<NetworkName>[]; attachments: Attachments } {
  const names = new Map<string, Mark>([[name, key]]);
  for (const attribute of ["container_name", "hostname"]) {
    const part = service.get(attribute);
    const text = service.value(attribute, anyText);
    if (part !== null && text !== null && !names.has(text)) names.set(text, part.mark);
  }
  const attachments = new Map<string, Mark>();
  const part = service.get("networks");
  const mode = service.get("network_mode");
  if (part !== null && mode !== null) {
    mode.mark.error("two-values", "A service has networks or a network mode, not both.");
  }
  if (part === null && mode === null) attachments.set("default", key);
  if (part !== null && part.kind !== "map") {
    part.mark.error("wrong-type", "This must be a list of networks, or a map of them.");
  }
  for (const [network, { key: at, value }] of part?.kind === "map" ? part.entries : []) {
    attachments.set(network, at);
    if (network !== "default") {
      referredTo(project, { mark: at, name: network, one: "network" }, project.networks);
    }
    if (value.kind === "scalar" && value.value === null) continue;
    if (value.kind !== "map") {
      value.mark.error("wrong-type", "This must be a map, such as `aliases: [api]`.");
      continue;
    }
    const of = `network "${network}" of ${service.of}`;
    const attachment = new Section(value, of, service.leftOut).check(attachmentKeys);
    for (const alias of attachment.items("aliases")) {
      const text = textOf(alias);
      if (text !== null && !names.has(text)) names.set(text, alias.mark);
    }
  }
  return {
    names: Array.from(names, ([each, mark]) => known({ name: each, ports: [] }, mark.where)),
    attachments,
  };
}

/** What the networks of the top level say. */
export function checkNetworks(project: Project): void {
  for (const { section } of project.networks.values()) section.check(networkKeys);
}

type Ports = readonly { readonly port: number; readonly protocol: "tcp" | "udp" }[];

export interface Attached {
  readonly name: string;
  readonly key: Mark;
  readonly attachments: Attachments;
  /** Those that the machine hands on, whoever calls. */
  readonly published: Ports;
}

/**
 * Services talk to those on a network with them only, and those on internal networks alone do not
 * reach the internet: a policy for each group of services on the same networks that it concerns.
 */
export function networkPolicies(
  services: readonly Attached[],
  project: Project,
): Fact<SourcePolicy>[] {
  const members = new Map<string, string[]>();
  for (const { name, attachments } of services) {
    for (const network of attachments.keys()) {
      const all = members.get(network);
      if (all === undefined) members.set(network, [name]);
      else all.push(name);
    }
  }
  return groups(services).flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const networks = [...first.attachments.keys()];
    const peers = [...new Set(networks.flatMap((network) => members.get(network) ?? []))];
    const where = (first.attachments.values().next().value ?? first.key).where;
    const name = networks.length === 0 ? "no network" : `networks ${networks.join(", ")}`;
    const policy = (direction: "ingress" | "egress", names: string[], ports: Ports) => {
      project.loader.budget.spend(peers.length + names.length);
      const open = ports.length === 0 ? [] : [{ peers: null, ports: [...ports] }];
      const allows = [{ peers, ports: [] }, ...open];
      return known({ name, services: names, direction, allows }, where);
    };
    // Nothing is kept from those that all can reach; a policy for each would be one for each pair.
    const kept = peers.length < services.length ? withOwnPorts(group) : [];
    const ingress = kept.map(({ names, ports }) => policy("ingress", names, ports));
    const isInside = networks.every((network) => isInternal(network, project));
    return [
      ...ingress,
      ...(isInside
        ? [
            policy(
              "egress",
              group.map((each) => each.name),
              [],
            ),
          ]
        : []),
    ];
  });
}

/** Services on the same networks, as one; a host's network or another service's is none of these. */
function groups(services: readonly Attached[]): Attached[][] {
  const found = new Map<string, Attached[]>();
  for (const service of services) {
    const key = [...service.attachments.keys()].toSorted().join("\n");
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

function isInternal(name: string, { networks }: Project): boolean {
  return networks.get(name)?.section.value("internal", truth) ?? false;
}
