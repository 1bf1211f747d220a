import { formatPlace } from "../protocol/fact.ts";
import type { Fact, Place } from "../protocol/fact.ts";
import type { Because } from "../protocol/plan.ts";
import type { SourceModel } from "../protocol/source-model.ts";

interface Decided {
  /** The index of the dev service. */
  readonly dev: number;
  /** From the source's name of a volume to the plan's. */
  readonly volumeNames: ReadonlyMap<string, string>;
}

/** For each part of the plan the source lines that ask for it. */
export function because(model: SourceModel, { dev, volumeNames }: Decided): Because[] {
  const services = model.services.map((service) => {
    const { env, endpoints, mounts, ...fields } = service;
    const facts = [...Object.values(fields), ...Object.values(env), ...endpoints, ...mounts];
    return { part: `service ${valueOf(service.name)}`, where: places(facts) };
  });
  const volumes = model.volumes.map(({ name, sizeBytes, ephemeral }) => ({
    part: `volume ${volumeNames.get(valueOf(name)) ?? valueOf(name)}`,
    where: places([name, sizeBytes, ephemeral]),
  }));
  const chosen = model.services[dev];
  if (chosen === undefined) return [...services, ...volumes];
  const { name, sourcePath, command, args } = chosen;
  return [
    { part: "dev service", where: places([name, sourcePath]) },
    ...services,
    ...volumes,
    { part: `task ${valueOf(name)}`, where: places([command, args]) },
  ];
}

function valueOf(fact: Fact<string>): string {
  return fact.known ? fact.value : "";
}

function places(facts: readonly Fact<unknown>[]): Place[] {
  return [...new Map(facts.map(({ where }) => [formatPlace(where), where])).values()];
}
