import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { NetworkName } from "../../protocol/service.ts";
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

/** Whether a network leads nowhere else. */
export function isInternal(name: string, { networks }: Project): boolean {
  return networks.get(name)?.section.value("internal", truth) ?? false;
}
