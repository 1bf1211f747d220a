import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { Dependency, SourceService } from "../../protocol/service.ts";
import { quote } from "../yaml/source-text.ts";
import { dependencyKeys } from "./keys.ts";
import { mapOf, textOf } from "./part.ts";
import type { Mark } from "./part.ts";
import { referredTo } from "./project.ts";
import type { NamedService, Project } from "./project.ts";
import { Section } from "./section.ts";
import { anyText, truth, word } from "./values.ts";

const conditions = word({
  service_started: "started",
  service_healthy: "healthy",
  service_completed_successfully: "completed",
} as const);

/** A name by which one service calls another: `links: [db:database]`. */
export interface Link {
  readonly service: string;
  readonly alias: string;
  readonly mark: Mark;
}

interface Dependencies {
  readonly dependsOn: Fact<Dependency>[];
  /** The same, with the places at which a cycle is reported. */
  readonly awaited: ReadonlyMap<string, Mark>;
  readonly links: Link[];
  /** The service whose network this one is in. */
  readonly partOf: { readonly name: string; readonly mark: Mark } | null;
}

/** `depends_on`, and what follows from `links`, `volumes_from` and `network_mode: service:…`. */
export function readDependencies(
  { section: service }: NamedService,
  project: Project,
): Dependencies {
  const found = new Map<string, Fact<Dependency>>();
  const awaited = new Map<string, Mark>();
  const links: Link[] = [];
  const part = service.get("depends_on");
  const map = part === null ? null : mapOf(part);
  for (const [name, { key, value }] of map?.entries ?? []) {
    const isName = value.kind === "scalar" && value.value === null;
    const body = isName ? null : mapOf(value);
    const of = `dependency ${quote(name)} of ${service.of}`;
    const section = body && new Section(body, of, service.leftOut).check(dependencyKeys);
    const required = section?.value("required", truth) ?? true;
    const condition = section?.value("condition", conditions) ?? "started";
    if (!isThere(project, { name, mark: key, required })) continue;
    found.set(name, known({ service: name, condition, required }, key.where));
    awaited.set(name, key);
  }
  const follows = (name: string, mark: Mark): boolean => {
    if (!isThere(project, { name, mark, required: true })) return false;
    const dependency: Dependency = { service: name, condition: "started", required: true };
    if (found.has(name)) return true;
    found.set(name, known(dependency, mark.where));
    awaited.set(name, mark);
    return true;
  };
  for (const item of service.items("links")) {
    const text = textOf(item);
    if (text === null) continue;
    const [name = "", alias = name] = text.split(":");
    if (follows(name, item.mark) && alias !== name) {
      links.push({ service: name, alias, mark: item.mark });
    }
  }
  for (const item of service.items("volumes_from")) {
    const text = textOf(item) ?? "container:";
    const [name = ""] = text.split(":");
    if (name !== "container") follows(name, item.mark);
  }
  const mode = service.get("network_mode");
  const name = /^service:(.+)$/.exec(service.value("network_mode", anyText) ?? "")?.[1];
  const isPart = mode !== null && name !== undefined && follows(name, mode.mark);
  return {
    dependsOn: [...found.values()],
    awaited,
    links,
    partOf: isPart ? { name, mark: mode.mark } : null,
  };
}

function isThere(
  project: Project,
  { name, mark, required }: { name: string; mark: Mark; required: boolean },
): boolean {
  const profiles = project.inactive.get(name);
  if (profiles !== undefined) {
    const why = `It has the profile ${profiles.join(", ")}, and nobody asked for that.`;
    project.leftOut.push({ what: `dependency ${quote(name)}`, why, where: mark.where });
    return false;
  }
  if (!required && !project.services.has(name)) return false;
  return referredTo(project, { mark, name, one: "service" }, project.services) !== undefined;
}

/** Reports services that wait for one another, so that none ever starts; each circle once. */
export function checkCycles(
  services: readonly { readonly name: string; readonly awaited: ReadonlyMap<string, Mark> }[],
): void {
  const all = new Map(services.map(({ name, awaited }) => [name, awaited]));
  const done = new Set<string>();
  for (const first of all.keys()) {
    // A walk without recursion: a project may have thousands of services.
    const path: { name: string; rest: [string, Mark][] }[] = [];
    const onPath = new Set<string>();
    const enter = (name: string): void => {
      onPath.add(name);
      path.push({ name, rest: [...(all.get(name) ?? [])] });
    };
    if (!done.has(first)) enter(first);
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const next = last.rest.shift();
      if (next === undefined) {
        done.add(last.name);
        onPath.delete(last.name);
        path.pop();
        continue;
      }
      const [name, mark] = next;
      if (onPath.has(name)) {
        const names = path.map((each) => each.name);
        const way = inShort([...names.slice(names.indexOf(name)), name]).join(" → ");
        mark.error("dependency-cycle", `These wait for one another: ${way}. Cut it.`);
      } else if (!done.has(name)) enter(name);
    }
  }
}

/** A circle of hundreds is told by where it begins and ends. */
function inShort(names: readonly string[]): readonly string[] {
  return names.length <= 8 ? names : [...names.slice(0, 4), "…", ...names.slice(-3)];
}

/** What others wait for to be done runs once. */
export function withJobs(services: readonly SourceService[]): SourceService[] {
  const awaited = new Map<string, Fact<Dependency>>();
  for (const { dependsOn } of services) {
    for (const each of dependsOn) {
      if (each.known && each.value.condition === "completed") awaited.set(each.value.service, each);
    }
  }
  return services.map((service) => {
    const by = service.name.known ? awaited.get(service.name.value) : undefined;
    if (by === undefined || !service.role.known || service.role.value !== "service") return service;
    return { ...service, role: known("job" as const, by.where) };
  });
}
