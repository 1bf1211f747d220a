import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { EnvValue, SourceService } from "../../protocol/service.ts";
import { quote } from "../yaml/source-text.ts";
import type { EnvEntry } from "./env-file.ts";
import { envFileKeys } from "./keys.ts";
import { entry, mapOf, textOf, whyUnset } from "./part.ts";
import type { Part } from "./part.ts";
import { resolvePath, whyOutside } from "./paths.ts";
import type { Project } from "./project.ts";
import { Section } from "./section.ts";
import { truth, word } from "./values.ts";

/** `environment` over the files of `env_file`, the later over the earlier. */
export function readEnvironment(
  service: Section,
  project: Project,
): Pick<SourceService, "env" | "envElsewhere"> {
  const env = new Map<string, Fact<EnvValue>>();
  const envElsewhere: Fact<string>[] = [];
  for (const item of service.items("env_file")) {
    const found = readFile(service, item, project);
    if (found === null) continue;
    if ("entries" in found) for (const each of found.entries) set(env, each.name, ofEntry(each));
    else envElsewhere.push(known(found.elsewhere, item.mark.where));
  }
  const part = service.get("environment");
  const map = part === null ? null : mapOf(part);
  for (const [name, { key, value }] of map?.entries ?? []) {
    project.loader.budget.spend(1);
    if (!isName(name)) {
      key.error("bad-env-name", `${quote(name)} is no name of a variable: use A-Z, 0-9 and "_".`);
      continue;
    }
    const fact = ofPart(name, value);
    if (fact !== null) set(env, name, fact);
  }
  project.loader.budget.spend(env.size);
  return { env: Object.fromEntries(env), envElsewhere };
}

/** What an environment can hold; `__proto__` is a name that objects have for something else. */
function isName(name: string): boolean {
  return /^[^=\0\s]+$/.test(name) && name !== "__proto__";
}

/** The last place that says a variable is the one that counts. */
function set(env: Map<string, Fact<EnvValue>>, name: string, fact: Fact<EnvValue>): void {
  if (isName(name)) env.set(name, fact);
}

function ofEntry({ name, value, unset, variable, where }: EnvEntry): Fact<EnvValue> {
  if (unset.length === 0) return known({ kind: "literal", value }, where);
  return known(asked(variable, `${unset.join(", ")} is not set, of which ${name} is made.`), where);
}

function asked(variable: string | null, why: string): EnvValue {
  return variable === null ? { kind: "unknown", why } : { kind: "fromUser", name: variable };
}

function ofPart(name: string, value: Part): Fact<EnvValue> | null {
  const { where, origin } = value.mark;
  if (value.kind === "scalar" && value.value === null) {
    // The name alone: compose passes on what it was started with.
    const given = origin.env.get(name);
    const env: EnvValue =
      given === undefined ? { kind: "fromUser", name } : { kind: "literal", value: given };
    return known(env, where);
  }
  const why = value.kind === "scalar" ? whyUnset(value) : null;
  if (value.kind === "scalar" && why !== null) return known(asked(value.variable, why), where);
  const text = textOf(value);
  return text === null ? null : known({ kind: "literal", value: text }, where);
}

type FoundFile = { readonly entries: readonly EnvEntry[] } | { readonly elsewhere: string };

function readFile(service: Section, item: Part, { loader }: Project): FoundFile | null {
  const long = item.kind === "map" ? item : null;
  const section = long && new Section(long, `env_file of ${service.of}`, service.leftOut);
  section?.check(envFileKeys);
  const pathPart = long === null ? item : entry(long, "path");
  if (pathPart === null) {
    item.mark.error("missing-key", "The key `path` is missing: name the env file.");
    return null;
  }
  const required = section?.value("required", truth) ?? true;
  const raw = section?.value("format", word({ raw: "raw" })) === "raw";
  const text = textOf(pathPart);
  if (text === null) return null;
  const why = pathPart.kind === "scalar" ? whyUnset(pathPart) : null;
  const resolved = resolvePath(pathPart.mark.origin.folder, text);
  if (why !== null) return { elsewhere: `an env file whose path is not known: ${why}` };
  if ("outside" in resolved) {
    const message = `This env file is not read: ${whyOutside(resolved)}.`;
    pathPart.mark.warning("outside-repository", message);
    return { elsewhere: `the env file ${quote(text)}, which is not in the repository` };
  }
  const entries = loader.envFile(resolved.path, pathPart.mark.origin, raw);
  if (entries !== null) return { entries };
  return required
    ? { elsewhere: `the env file ${quote(resolved.path)}, which is not in the repository` }
    : null;
}
