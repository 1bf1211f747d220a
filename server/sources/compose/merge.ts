import { list, map } from "./part.ts";
import type { MapPart, Part, PartEntry } from "./part.ts";
import { splitPort } from "./port-text.ts";
import { splitVolume } from "./volume-text.ts";

/** How values of one kind are merged; without a rule maps by their keys, and lists one behind another. */
interface Rule {
  /** The later one replaces all of the earlier. */
  readonly replace?: true;
  /** Items of a list with the same text are one; the later counts. */
  readonly unique?: (item: Part) => string | null;
  readonly keys?: Readonly<Record<string, Rule>>;
  /** For every key. */
  readonly each?: Rule;
}

const replace: Rule = { replace: true };

const serviceRule: Rule = {
  keys: {
    command: replace,
    entrypoint: replace,
    healthcheck: { keys: { test: replace } },
    ports: { unique: portKey },
    volumes: { unique: volumeKey },
    secrets: { unique: mountKey("/run/secrets/") },
    configs: { unique: mountKey("/") },
    expose: { unique: textKey },
    cap_add: { unique: textKey },
    cap_drop: { unique: textKey },
    external_links: { unique: textKey },
    profiles: { unique: textKey },
    ulimits: { each: replace },
  },
};

const projectRule: Rule = { keys: { services: { each: serviceRule } } };

/** One file's project over those before it (compose-spec, "Merge and override"). */
export function mergeProjects(base: MapPart, over: MapPart): MapPart {
  return mergeMaps(base, over, projectRule);
}

/** A service over the one that it extends. */
export function mergeServices(base: MapPart, over: MapPart): MapPart {
  return mergeMaps(base, over, serviceRule);
}

function mergeParts(base: Part, over: Part, rule: Rule): Part {
  if (over.tag !== null || base.tag === "reset" || rule.replace === true) return over;
  if (over.kind === "scalar" && over.value === null && base.kind !== "scalar") return base;
  if (base.kind === "map" && over.kind === "map") return mergeMaps(base, over, rule);
  if (base.kind === "list" && over.kind === "list") {
    over.mark.origin.budget.spend(base.items.length + over.items.length);
    return list(distinct([...base.items, ...over.items], rule), {
      mark: over.mark,
      tag: base.tag,
    });
  }
  if (base.kind !== over.kind && base.kind !== "scalar") {
    const kind = base.kind === "map" ? "a map" : "a list";
    over.mark.error("cannot-merge", `An earlier file has ${kind} here: write one, or !override.`);
  }
  return over;
}

function mergeMaps(base: MapPart, over: MapPart, rule: Rule): MapPart {
  over.mark.origin.budget.spend(base.entries.size + over.entries.size);
  const entries = new Map<string, PartEntry>(base.entries);
  for (const [name, later] of over.entries) {
    const earlier = entries.get(name);
    const inner = ruleOf(rule, name);
    entries.set(
      name,
      earlier === undefined
        ? later
        : { key: later.key, value: mergeParts(earlier.value, later.value, inner) },
    );
  }
  return map(entries, { mark: over.mark, tag: base.tag });
}

function ruleOf({ keys, each }: Rule, name: string): Rule {
  const own = keys !== undefined && Object.hasOwn(keys, name) ? keys[name] : undefined;
  return own ?? each ?? {};
}

/** The later of two items that are one, at the place of the first. */
function distinct(items: readonly Part[], { unique }: Rule): readonly Part[] {
  if (unique === undefined) return items;
  const found = new Map<string, Part>();
  for (const [at, item] of items.entries()) found.set(unique(item) ?? `#${at}`, item);
  return [...found.values()];
}

/** A list of one file with its doubles taken out, as those of several files are merged. */
export function withoutDoubles(service: MapPart): MapPart {
  const entries = Array.from(service.entries, ([name, each]) => {
    const { value } = each;
    if (value.kind !== "list") return [name, each] as const;
    const items = distinct(value.items, ruleOf(serviceRule, name));
    return [name, { ...each, value: list(items, value) }] as const;
  });
  return map(new Map(entries), service);
}

/** Without what `!reset` takes away: it is gone when all files are merged. */
export function withoutResets(project: MapPart): MapPart {
  project.mark.origin.budget.spend(project.entries.size);
  const entries = new Map<string, PartEntry>();
  for (const [name, each] of project.entries) {
    if (each.value.tag !== "reset") entries.set(name, { ...each, value: kept(each.value) });
  }
  return map(entries, project);
}

function kept(part: Part): Part {
  if (part.kind === "map") return withoutResets(part);
  if (part.kind === "scalar") return part;
  return list(part.items.filter(({ tag }) => tag !== "reset").map(kept), part);
}

function textKey(item: Part): string | null {
  return item.kind === "scalar" ? String(item.value) : null;
}

function field(item: Part, name: string): string | null {
  const value = item.kind === "map" ? item.entries.get(name)?.value : undefined;
  return value?.kind === "scalar" && value.value !== null ? String(value.value) : null;
}

function portKey(item: Part): string | null {
  if (item.kind === "scalar") {
    const split = splitPort(String(item.value));
    return split === null ? null : [split.ip, split.published, split.target, split.protocol].join();
  }
  const target = field(item, "target");
  if (target === null) return null;
  const published = field(item, "published") ?? "";
  return [field(item, "host_ip") ?? "", published, target, field(item, "protocol") ?? "tcp"].join();
}

function volumeKey(item: Part): string | null {
  if (item.kind === "scalar") return splitVolume(String(item.value))?.target ?? null;
  return field(item, "target");
}

function mountKey(folder: string): (item: Part) => string | null {
  return (item) => {
    const target = field(item, "target");
    if (target !== null) return target.startsWith("/") ? target : `${folder}${target}`;
    const source = item.kind === "scalar" ? String(item.value) : field(item, "source");
    return source === null ? null : `${folder}${source}`;
  };
}
