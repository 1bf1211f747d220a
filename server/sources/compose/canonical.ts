import { list, map, scalar } from "./part.ts";
import type { ListPart, MapPart, Part, PartEntry, ScalarPart } from "./part.ts";

/**
 * The short forms of a service as long ones, so that files can be merged whichever form they use.
 * What fits no form stays: its reader says what is wrong with it.
 */
export function canonicalService(service: Part): Part {
  return changed(service, serviceForms);
}

/** The same for a part of the top level that has labels. */
export function canonicalResource(resource: Part): Part {
  return changed(resource, { labels: pairs });
}

type Form = (part: Part) => Part;
type Forms = Readonly<Record<string, Form>>;

const serviceForms: Forms = {
  annotations: pairs,
  build: (part) => changed(wrapped(part, "context"), buildForms),
  depends_on: names,
  deploy: (part) => changed(part, { labels: pairs }),
  dns: listed,
  dns_opt: listed,
  dns_search: listed,
  env_file: listed,
  environment: pairs,
  extends: (part) => wrapped(part, "service"),
  extra_hosts: hosts,
  label_file: listed,
  labels: pairs,
  models: names,
  networks: names,
  profiles: listed,
  sysctls: pairs,
  tmpfs: listed,
};

const buildForms: Forms = {
  additional_contexts: pairs,
  args: pairs,
  extra_hosts: hosts,
  labels: pairs,
  ssh: pairs,
};

function changed(part: Part, forms: Forms): Part {
  if (part.kind !== "map") return part;
  const entries = new Map<string, PartEntry>();
  for (const [name, each] of part.entries) {
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
    entries.set(name, form === undefined ? each : { ...each, value: form(each.value) });
  }
  return map(entries, part);
}

function listed(part: Part): Part {
  return part.kind === "scalar" && part.value !== null ? list([part], part) : part;
}

function wrapped(part: Part, key: string): Part {
  if (part.kind !== "scalar" || part.value === null) return part;
  return map(new Map([[key, { key: part.mark, value: { ...part, tag: null } }]]), part);
}

/** `[NAME=value, NAME]` as `{NAME: value, NAME: null}`; of two the last counts. */
function pairs(part: Part): Part {
  return split(part, (text) => splitAt(text, text.indexOf("=")));
}

/** `[host=address, host:address]`; an address may have colons itself. */
function hosts(part: Part): Part {
  return split(part, (text) => {
    const equals = text.indexOf("=");
    return splitAt(text, equals === -1 ? text.indexOf(":") : equals);
  });
}

/** `[a, b]` as `{a: , b: }`. */
function names(part: Part): Part {
  return split(part, (text) => [text, null]);
}

function splitAt(text: string, at: number): readonly [string, string | null] {
  return at === -1 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function split(part: Part, how: (text: string) => readonly [string, string | null]): Part {
  if (part.kind !== "list" || !hasOnlyTexts(part)) return part;
  const entries = new Map<string, PartEntry>();
  for (const item of part.items) {
    const [name, value] = how(String(item.value));
    // A merge keeps the place that a name had first; the value that counts is the last.
    entries.set(name, { key: item.mark, value: scalar(value, item) });
  }
  return map(entries, part);
}

function hasOnlyTexts(part: ListPart): part is ListPart & { items: readonly ScalarPart[] } {
  return part.items.every((item) => item.kind === "scalar" && item.value !== null);
}

/** All services and resources of a file in their long forms. */
export function canonicalProject(project: MapPart): MapPart {
  const each =
    (form: Form): Form =>
    (part) => {
      if (part.kind !== "map") return part;
      const entries = Array.from(
        part.entries,
        ([name, one]) => [name, { ...one, value: form(one.value) }] as const,
      );
      return map(new Map(entries), part);
    };
  const resources = each(canonicalResource);
  const forms: Forms = {
    services: each(canonicalService),
    networks: resources,
    volumes: resources,
    secrets: resources,
    configs: resources,
  };
  const done = changed(project, forms);
  return done.kind === "map" ? done : project;
}
