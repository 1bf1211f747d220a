import { formatPlace } from "../protocol/fact.ts";
import type { Fact, Place } from "../protocol/fact.ts";
import type { Because, Checkout } from "../protocol/plan.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceCommand, SourceModel, SourceTask } from "../protocol/source-model.ts";
import { sourceRoot } from "../sources/source-root.ts";

interface Decided {
  /** The index of the dev service. */
  readonly dev: number;
  /** From the source's name of a volume to the plan's. */
  readonly volumeNames: ReadonlyMap<string, string>;
  /** Services of production that are in the plan. */
  readonly mirrored: readonly SourceService[];
  /** The plan's names of the source's tasks that are in it. */
  readonly taskNames: ReadonlyMap<SourceTask, string>;
  /** Those that are offered. */
  readonly commandNames: ReadonlyMap<SourceCommand, string>;
  readonly projects: readonly Checkout[];
}

/** For each part of the plan the source lines that ask for it. */
export function because(model: SourceModel, decided: Decided): Because[] {
  const { dev, volumeNames, taskNames, commandNames, projects } = decided;
  // Of a name that both have, production's runs.
  const replacing = new Set(decided.mirrored.map(({ name }) => valueOf(name)));
  const services = [
    ...model.services.filter(({ name }) => !replacing.has(valueOf(name))),
    ...decided.mirrored,
  ].map((service) => ({
    part: `service ${valueOf(service.name)}`,
    where: uniquePlaces(servicePlaces(service)),
  }));
  const ports = model.services.flatMap(({ name, endpoints }) =>
    endpoints.flatMap((endpoint) =>
      endpoint.known
        ? [
            {
              part: `port ${endpoint.value.targetPort} of ${valueOf(name)}`,
              where: [endpoint.where],
            },
          ]
        : [],
    ),
  );
  const volumes = model.volumes.map(({ name, sizeBytes, ephemeral }) => ({
    part: `volume ${volumeNames.get(valueOf(name)) ?? valueOf(name)}`,
    where: places([name, sizeBytes, ephemeral]),
  }));
  const tasks = Array.from(taskNames, ([task, planned]) => {
    const { service, commandLine, workingDir, env, where } = task;
    const facts = [service, commandLine, workingDir, ...env.map(({ value }) => value)];
    return { part: `task ${planned}`, where: uniquePlaces([where, ...places(facts)]) };
  });
  const commands = Array.from(commandNames, ([command, planned]) => {
    const { runs, where } = command;
    const facts = "commands" in runs ? [] : [runs.service, runs.commandLine, runs.workingDir];
    return { part: `command ${planned}`, where: uniquePlaces([where, ...places(facts)]) };
  });
  const paths = new Set(projects.map(({ path }) => path));
  const checkouts = model.projects.flatMap((project) => {
    const { name, url, revision, clonePath, otherRemotes = [], where } = project;
    if (!clonePath.known || !paths.has(`${sourceRoot}/${clonePath.value}`)) return [];
    const facts = [url, revision, clonePath, ...otherRemotes.map((remote) => remote.url)];
    return [{ part: `project ${name}`, where: uniquePlaces([where, ...places(facts)]) }];
  });
  const chosen = model.services[dev];
  if (chosen === undefined) return [...services, ...ports, ...volumes];
  const { name, sourcePath, command, args } = chosen;
  return [
    { part: "dev service", where: places([name, sourcePath]) },
    ...services,
    ...ports,
    ...volumes,
    { part: `task ${valueOf(name)}`, where: places([command, args]) },
    ...tasks,
    ...commands,
    ...checkouts,
  ];
}

function valueOf(fact: Fact<string>): string {
  return fact.known ? fact.value : "";
}

function places(facts: readonly Fact<unknown>[]): Place[] {
  return uniquePlaces(facts.map(({ where }) => where));
}

/** Where each of its fields stands. */
function servicePlaces(service: SourceService): Place[] {
  const { env } = service;
  const all: Place[] = [];
  for (const field of Object.values(service) as (Fact<unknown> | Fact<unknown>[] | typeof env)[]) {
    // Copied without it, a service would be twice as slow.
    if (field === env) continue;
    if (Array.isArray(field)) for (const { where } of field) all.push(where);
    else all.push((field as Fact<unknown>).where);
  }
  for (const { where } of Object.values(env)) all.push(where);
  return all;
}

/** Each place once. Most facts of a thing share one object: thousands of texts would cost more. */
function uniquePlaces(all: readonly Place[]): Place[] {
  const distinct = [...new Set(all)];
  if (distinct.length < 2) return distinct;
  return [...new Map(distinct.map((where) => [formatPlace(where), where])).values()];
}
