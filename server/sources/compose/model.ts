import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { LeftOut, SourceModel, SourceVolume } from "../../protocol/source-model.ts";
import type { SourceService } from "../../protocol/service.ts";
import { networkPolicies, publishedOf } from "../network-policies.ts";
import type { Attached } from "../network-policies.ts";
import { checkConfigs } from "./config-files.ts";
import { checkCycles, withJobs } from "./dependencies.ts";
import { volumeKeys } from "./keys.ts";
import { checkNetworks, isInternal } from "./networks.ts";
import { checkClashes } from "./ports.ts";
import type { NamedService, Project } from "./project.ts";
import { readService } from "./service.ts";
import type { ReadService } from "./service.ts";
import { listVolume } from "./volumes.ts";

interface Running extends ReadService {
  readonly named: NamedService;
}

/** What the services and the rest of a project say, when each is known that they may name. */
export function modelOf(project: Project, name: Fact<string>): SourceModel {
  const running: Running[] = [];
  for (const named of project.services.values()) {
    const done = readService(named, project);
    if (done !== null) running.push({ ...done, named });
  }
  checkCycles(running.map(({ named, awaited }) => ({ name: named.name, awaited })));
  checkNetworks(project);
  checkConfigs(project);
  checkClashes(running.map(({ named, published }) => ({ name: named.name, published })));
  return {
    format: "compose",
    name,
    services: withJobs(withLinks(running)),
    volumes: volumesOf(project),
    tasks: [],
    projects: [],
    routes: [],
    policies: networkPolicies(running.flatMap(attached), {
      isInternal: (network) => isInternal(network, project),
      spend: (names) => project.loader.budget.spend(names),
    }),
    leftOut: inOrder(project),
  };
}

/** The host's network and another service's are no networks of the project. */
function attached({ named, service, attachments }: Running): Attached[] {
  const mode = named.section.get("network_mode");
  const isNone = mode?.kind === "scalar" && mode.value === "none";
  if (mode !== null && !isNone) return [];
  const [first = named.key] = attachments.values();
  const networks = [...attachments.keys()];
  const published = publishedOf(service);
  return [{ name: named.name, networks, published, where: first.where }];
}

/** Names that one service gives another are names of that other. */
function withLinks(running: readonly Running[]): SourceService[] {
  const aliases = new Map<string, SourceService["names"]>();
  for (const { links } of running) {
    for (const { service, alias, mark } of links) {
      const fact = known({ name: alias, ports: [] }, mark.where);
      aliases.set(service, [...(aliases.get(service) ?? []), fact]);
    }
  }
  return running.map(({ named, service }) => {
    const own = new Set(service.names.map((each) => (each.known ? each.value.name : "")));
    const further: SourceService["names"] = [];
    for (const each of aliases.get(named.name) ?? []) {
      if (!each.known || own.has(each.value.name)) continue;
      own.add(each.value.name);
      further.push(each);
    }
    return further.length === 0 ? service : { ...service, names: [...service.names, ...further] };
  });
}

function volumesOf(project: Project): SourceVolume[] {
  for (const [name, resource] of project.volumes) {
    const { key, section } = resource;
    section.check(volumeKeys);
    listVolume(resource);
    if (!project.used.has(name)) section.listAt(key, section.of, "No service mounts it.");
  }
  return [...project.mounted.values()];
}

/** In the order of the files, and of the lines in each. */
function inOrder({ leftOut, loader }: Project): LeftOut[] {
  const files = new Map(loader.sources.map(({ file }, at) => [file, at]));
  const seen = new Set<string>();
  const once = leftOut.filter(({ what, where }) => {
    const key = JSON.stringify([what, where]);
    return seen.size < seen.add(key).size;
  });
  const place = ({ where }: LeftOut): [number, number] =>
    "file" in where ? [files.get(where.file) ?? 0, where.line] : [0, 0];
  return once.toSorted((one, other) => {
    const [file, line] = place(one);
    const [otherFile, otherLine] = place(other);
    return file - otherFile || line - otherLine;
  });
}
