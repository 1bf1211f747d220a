import type { Because } from "../../protocol/plan.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceService } from "../../protocol/service.ts";
import { nameOf } from "./develop.ts";

/** How a plan's `because` names one setting of a service, such as `env PORT` or `memoryLimitBytes`. */
export function settingPart(service: string, setting: string): string {
  return `setting ${setting} of service ${service}`;
}

/** For each setting that the source says something of, its line. What it leaves unsaid has none. */
export function settingPlaces(service: SourceService): Because[] {
  const name = nameOf(service);
  const { env, imageDefaults: _image, envNamesOnly: _names, ...fields } = service;
  const said = Object.entries(fields).flatMap(([key, facts]) => {
    const where = [facts ?? []]
      .flat()
      .flatMap((fact: Fact<unknown>) => (isSaid(fact) ? fact.where : []));
    return where.length === 0 ? [] : [{ part: settingPart(name, key), where }];
  });
  const variables = Object.entries(env).map(([key, { where }]) => ({
    part: settingPart(name, `env ${key}`),
    where: [where],
  }));
  return [...said, ...variables];
}

/** Readers give the defaults of a format the place of the service. */
function isSaid(fact: Fact<unknown>): boolean {
  if (!fact.known) return false;
  const { value } = fact;
  return value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
}
