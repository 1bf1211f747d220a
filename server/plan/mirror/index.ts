import type { Fact, Place } from "../../protocol/fact.ts";
import type { Because, PlannedBuild, PlannedMirror, PlannedVolume } from "../../protocol/plan.ts";
import type { Dependency, PlannedService, SourceService } from "../../protocol/service.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import type { Facts } from "../facts.ts";
import { builtImage, mirrorBuilds } from "./builds.ts";
import { developed, nameOf } from "./develop.ts";
import { Secrets } from "./secrets.ts";
import { mirrorService, standIn } from "./service.ts";
import { settingPlaces } from "./settings.ts";

export interface MirrorChoices {
  /** What was read, as its user knows it, such as `compose.yaml` or `k8s/`. */
  readonly source: string;
  /** Services of production that the dev service stands in for; null: found by name, image or build. */
  readonly develop: readonly string[] | null;
  /** Images that stand in for production's, by production's reference. */
  readonly images?: Readonly<Record<string, string>>;
}

export interface Mirrored {
  /** Of the devfile, those that stay, the dev service among them; then production's. */
  readonly services: PlannedService[];
  readonly volumes: PlannedVolume[];
  readonly mirror: PlannedMirror;
  /** Of production's services that are in the plan. */
  readonly sources: readonly SourceService[];
  readonly builds: PlannedBuild[];
  /** Of builds, and of each setting of the services. */
  readonly because: Because[];
}

/**
 * Puts production around the dev service: each service of production runs in a network of its own
 * under its own names, but those that the dev service stands in for. It takes on their names and
 * their environment, which goes before the devfile's. A component of the devfile that has the name
 * of a service of production gives way to it. What cannot be mirrored is listed with its line.
 *
 * @param own the devfile's services in plain values, the dev service first among equals.
 */
export function planMirror(
  production: SourceModel,
  {
    choices,
    own,
    dev,
    taken,
    facts,
  }: {
    choices: MirrorChoices;
    own: readonly PlannedService[];
    dev: PlannedService;
    /** Names of volumes that are the devfile's, or Oneloop's own. */
    taken: ReadonlySet<string>;
    facts: Facts;
  },
): Mirrored {
  facts.leftOut.push(...production.leftOut);
  const develops = developed(production, { dev, named: choices.develop });
  const secrets = new Secrets();
  const images = imagesOf(production, { choices, develops, facts });
  const runs = production.services.filter((service) => images.has(service));
  const names = new Set(runs.map(nameOf));
  // A component of the devfile that has the name is what is developed.
  const components = new Set(own.map(({ name }) => name));
  const byDev = develops.filter((name) => name === dev.name || !components.has(name));
  const planned = (name: string): string | null => {
    if (byDev.includes(name)) return dev.name;
    return names.has(name) || develops.includes(name) ? name : null;
  };
  const volumes = volumesOf(production, { taken, facts });
  const context = { facts, secrets, planned, volumeNames: volumes.names };

  const { services, builds, because } = mirrorBuilds(
    runs.map((service) => mirrorService(service, images.get(service) ?? "", context)),
    { sources: runs, mapped: new Set(Object.values(choices.images ?? {})), facts },
  );
  const replaced = own.filter(({ name }) => name !== dev.name && names.has(name));
  for (const { name } of replaced) {
    const where = runs.find((service) => nameOf(service) === name)?.name.where;
    if (where === undefined) continue;
    const why = "Production has a service of this name, which runs in its place.";
    facts.leftOut.push({ what: `component ${name} of the devfile`, why, where });
  }
  const stands = standIn(
    production.services.filter((service) => byDev.includes(nameOf(service))),
    context,
  );
  const devService: PlannedService = {
    ...dev,
    env: { ...dev.env, ...stands.env },
    mirror: stands.mirror,
  };
  notMirrored(production, { names, develops, facts });
  return {
    services: [
      ...own
        .filter((service) => !replaced.includes(service))
        .map((service) => (service.name === dev.name ? devService : service)),
      ...inOrder(services),
    ],
    volumes: volumes.planned,
    mirror: { source: choices.source, develops, secrets: secrets.all() },
    sources: runs,
    builds,
    because: [...because, ...runs.flatMap(settingPlaces)],
  };
}

/** The image of each service that runs; what does not run is listed, by name, with the reason. */
function imagesOf(
  production: SourceModel,
  {
    choices,
    develops,
    facts,
  }: {
    choices: MirrorChoices;
    develops: readonly string[];
    facts: Facts;
  },
): Map<SourceService, string> {
  const images = new Map<SourceService, string>();
  for (const service of production.services) {
    const name = nameOf(service);
    if (develops.includes(name)) continue;
    const refuse = (why: string, where: Place): void => {
      facts.leftOut.push({ what: `service ${name}`, why, where });
    };
    const refusal = refusalOf(service, develops);
    if (refusal !== null) {
      refuse(refusal.why, refusal.where);
      continue;
    }
    const { image, build } = service;
    const built = build.known && build.value !== null;
    if (!image.known && !built) {
      refuse(image.why, image.where);
      continue;
    }
    const given = image.known ? image.value : builtImage(name);
    images.set(service, choices.images?.[given] ?? given);
  }
  return images;
}

/** Why a service of production is not started here; null where it is. */
function refusalOf(
  service: SourceService,
  develops: readonly string[],
): { why: string; where: Place } | null {
  const { role, partOf, hostAccess, replicas } = service;
  const asked = hostAccess.filter((fact) => fact.known).map((fact) => fact.value);
  const first = hostAccess[0];
  if (first !== undefined) {
    const what = asked.map(({ what: right, detail }) => `${right} (${detail})`).join(", ");
    return {
      why: `It asks for ${what || "a right over the machine"}, which no workspace gives.`,
      where: first.where,
    };
  }
  if (role.known && role.value === "cron") {
    return { why: "It runs by a schedule; nothing starts it here.", where: role.where };
  }
  const owner = partOf.known ? partOf.value : null;
  if (role.known && role.value === "init" && owner !== null && develops.includes(owner)) {
    return { why: `It prepares ${owner}, which is developed here.`, where: role.where };
  }
  if (replicas.known && replicas.value === 0) {
    return { why: "Production asks for none of it.", where: replicas.where };
  }
  return null;
}

/** What a single machine's containers cannot be. */
function notMirrored(
  production: SourceModel,
  {
    names,
    develops,
    facts,
  }: { names: ReadonlySet<string>; develops: readonly string[]; facts: Facts },
): void {
  const list = (what: string, why: string, fact: Fact<unknown>): void => {
    facts.leftOut.push({ what, why, where: fact.where });
  };
  for (const service of production.services) {
    const name = nameOf(service);
    const { replicas } = service;
    const here = names.has(name) || develops.includes(name);
    if (here && replicas.known && replicas.value > 1) {
      list(`replicas of service ${name}`, `${replicas.value} are asked for, one runs.`, replicas);
    }
  }
  for (const route of production.routes) {
    const to = route.known ? ` to ${route.value.service}` : "";
    const why = "No load balancer runs here: each port has an address of its own.";
    list(`route${to}`, why, route);
  }
  for (const policy of production.policies) {
    const name = policy.known ? ` ${policy.value.name}` : "";
    const why =
      "It is read and compared, but not enforced: the workspace's services reach each other.";
    list(`network policy${name}`, why, policy);
  }
}

/** Before what waits for them come those that are waited for; init and release jobs are waited for. */
function inOrder(services: readonly PlannedService[]): PlannedService[] {
  const releases = services.filter(({ mirror }) => mirror?.role === "release");
  return services.map((service) => {
    const { mirror } = service;
    if (mirror === undefined) return service;
    const waits: Dependency[] = [
      ...services.filter(
        (one) => one.mirror?.role === "init" && one.mirror.partOf === service.name,
      ),
      ...(mirror.role === "service" ? releases : []),
    ].map(({ name }) => ({ service: name, condition: "completed", required: true }));
    const known = new Set(mirror.dependsOn.map((one) => one.service));
    const dependsOn = [...mirror.dependsOn, ...waits.filter((one) => !known.has(one.service))];
    return { ...service, mirror: { ...mirror, dependsOn } };
  });
}

function volumesOf(
  { volumes }: SourceModel,
  { taken, facts }: { taken: ReadonlySet<string>; facts: Facts },
): { planned: PlannedVolume[]; names: ReadonlyMap<string, string> } {
  const used = new Set(taken);
  const names = new Map<string, string>();
  const planned = volumes.flatMap((volume) => {
    if (!volume.name.known) return [];
    const original = volume.name.value;
    let name = original;
    for (let count = 1; used.has(name); count += 1) {
      name = `mirror-${original}${count === 1 ? "" : `-${count}`}`;
    }
    used.add(name);
    names.set(original, name);
    const what = `of volume ${original}`;
    return [
      {
        name,
        sizeBytes: facts.prefer(volume.sizeBytes, { what: `size ${what}`, otherwise: null }),
        ephemeral: facts.prefer(volume.ephemeral, { what: `ephemeral ${what}`, otherwise: false }),
      },
    ];
  });
  return { planned, names };
}
