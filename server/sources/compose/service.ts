import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { HostAccess, SourceService } from "../../protocol/service.ts";
import { unsaidService } from "../../protocol/service.ts";
import { readCommand } from "./command.ts";
import { readConfigFiles } from "./config-files.ts";
import { readDependencies } from "./dependencies.ts";
import type { Link } from "./dependencies.ts";
import { readDeploy } from "./deploy.ts";
import { readDevelopWatch } from "./develop-watch.ts";
import { readEnvironment } from "./environment.ts";
import { readHealthcheck } from "./healthcheck.ts";
import { readCapabilities, readHostAccess } from "./host-access.ts";
import { readImage } from "./image.ts";
import { serviceKeys } from "./keys.ts";
import { readMounts } from "./mounts.ts";
import { readNetworks } from "./networks.ts";
import type { Attachments } from "./networks.ts";
import { readPorts } from "./ports.ts";
import type { Mark } from "./part.ts";
import type { Published } from "./ports.ts";
import type { NamedService, Project } from "./project.ts";
import type { Section } from "./section.ts";
import { anyText, duration, someText, truth } from "./values.ts";

/** A service, and what of it concerns others. */
export interface ReadService {
  readonly service: SourceService;
  readonly links: readonly Link[];
  readonly awaited: ReadonlyMap<string, Mark>;
  readonly attachments: Attachments;
  readonly published: readonly Published[];
}

/** Null, and reported or listed, for one that cannot run. */
export function readService(named: NamedService, project: Project): ReadService | null {
  const { name, key, section } = named;
  section.check(serviceKeys);
  if (section.get("provider") !== null) {
    const why = "A program of the machine provides it, not a container.";
    section.listAt(key, section.of, why);
    return null;
  }
  const image = readImage(section);
  const { endpoints, published } = readPorts(section);
  const { names, attachments } = readNetworks(named, project);
  const { dependsOn, awaited, links, partOf } = readDependencies(named, project);
  const mounts = readMounts(named, project);
  const files = readConfigFiles(section, project);
  const deploy = readDeploy(section);
  const sync = readDevelopWatch(section);
  const none = known(null, key.where);
  const hostname = section.value("hostname", anyText);
  const network = readNetworkMode(section);
  const rest = {
    ...readCommand(section),
    ...readEnvironment(section, project),
    user: section.fact("user", someText, none),
    workingDir: section.fact("working_dir", someText, none),
    platform: section.fact("platform", someText, none),
    readOnlyRoot: section.fact("read_only", truth, known(false, key.where)),
    stopGraceSeconds: section.fact("stop_grace_period", duration, none),
    capabilitiesAdded: readCapabilities(section, "cap_add"),
    capabilitiesDropped: readCapabilities(section, "cap_drop"),
    readiness: readHealthcheck(section),
    hostAccess: [...readHostAccess(section), ...network, ...mounts.hostAccess],
  };
  if (image === null) return null;
  const service: SourceService = {
    ...unsaidService(key.where),
    ...image,
    ...deploy,
    ...rest,
    name: known(name, key.where),
    workload: known("compose service", key.where),
    endpoints,
    mounts: mounts.mounts,
    tmpfs: mounts.tmpfs,
    files: [...mounts.files, ...files],
    names,
    dependsOn,
    ...(sync.length === 0 ? {} : { sync }),
    ...(hostname === null
      ? {}
      : { hostname: known(hostname, (section.get("hostname")?.mark ?? key).where) }),
  };
  if (partOf === null) return { service, links, awaited, attachments, published };
  const { where } = partOf.mark;
  const side = {
    ...service,
    role: known("sidecar" as const, where),
    partOf: known(partOf.name, where),
  };
  return { service: side, links, awaited, attachments, published };
}

function readNetworkMode(service: Section): Fact<HostAccess>[] {
  const part = service.get("network_mode");
  const mode = service.value("network_mode", anyText);
  if (part === null || mode === null) return [];
  if (mode === "host") {
    return [known({ what: "host-network", detail: "network_mode: host" }, part.mark.where)];
  }
  if (mode !== "none" && !mode.startsWith("service:")) {
    const why = "A service of a workspace is on the workspace's network.";
    service.list("network_mode", why);
  }
  return [];
}
