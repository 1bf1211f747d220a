import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import type { ReadResult } from "../result.ts";
import { quote } from "../yaml/source-text.ts";
import { TooMuch } from "./budget.ts";
import { loadProject, withDefaults } from "./include.ts";
import { topKeys } from "./keys.ts";
import { Loader } from "./load.ts";
import { withoutDoubles, withoutResets } from "./merge.ts";
import { modelOf } from "./model.ts";
import { textOf } from "./part.ts";
import type { Environment } from "./part.ts";
import { folderOf } from "./paths.ts";
import type { ReadFile } from "./paths.ts";
import { resources } from "./project.ts";
import type { NamedService, Project } from "./project.ts";
import { Section } from "./section.ts";

export interface ReadComposeOptions {
  /** The text of a file below the repository's root; null where there is none. */
  readonly read: ReadFile;
  /** Variables that count before those of `.env`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Besides those of `COMPOSE_PROFILES`; `*` is all. */
  readonly profiles?: readonly string[];
  /** What relative paths start from; unsaid, the folder of the first file. */
  readonly folder?: string;
}

/**
 * Reads a compose project as `docker compose -f … -f …` does (https://compose-spec.io): files over
 * one another, `include`, `extends`, env files, profiles and variables. docs/compose.md says it for
 * users. A variable that nobody has set makes what it stands in unknown. What is not read is in
 * `leftOut`, by its line. Never throws, whatever the files say.
 *
 * @param paths Below the repository's root, in the order of `-f`.
 */
export function readCompose(paths: readonly string[], options: ReadComposeOptions): ReadResult {
  const loader = new Loader(options.read);
  let model: SourceModel | null = null;
  try {
    model = readProject(paths, options, loader);
  } catch (thrown) {
    if (!(thrown instanceof TooMuch)) throw thrown;
    const message = "Written out in full, this project is too much: shorten it.";
    const where = { start: 0, end: 1 };
    loader.sources[0]?.report(where, { severity: "error", code: "too-much", message });
  }
  const diagnostics = loader.sources.flatMap((source) => source.diagnostics());
  return model === null || loader.sources.some(({ hasErrors }) => hasErrors)
    ? { ok: false, diagnostics }
    : { ok: true, model, warnings: diagnostics };
}

function readProject(
  paths: readonly string[],
  options: ReadComposeOptions,
  loader: Loader,
): SourceModel | null {
  const folder = options.folder ?? folderOf(paths[0] ?? "");
  const env = environment(loader, { folder, given: options.env ?? {} });
  const files = paths.map((path) => ({ path, at: null }));
  const loaded = loadProject(loader, { paths: files, scope: { folder, env } });
  if (loaded === null) return null;
  const { leftOut } = loader;
  const map = withoutResets(loaded);
  const top = new Section(map, "the file", leftOut).check(topKeys);
  if (top.get("services") === null) {
    map.mark.error("no-services", "The project has no services: write them under `services:`.");
  }
  const asked = (env.get("COMPOSE_PROFILES") ?? "").split(",");
  const profiles = new Set([...asked.map((each) => each.trim()), ...(options.profiles ?? [])]);
  const project: Project = {
    loader,
    leftOut,
    ...activeServices(top, profiles),
    networks: resources(top, "networks", "network"),
    volumes: resources(top, "volumes", "volume"),
    secrets: resources(top, "secrets", "secret"),
    configs: resources(top, "configs", "config"),
    mounted: new Map(),
    used: new Set(),
  };
  return modelOf(project, readName(top, env));
}

/** `.env` of the project's folder, below what is given; and the project's own name. */
function environment(
  loader: Loader,
  { folder, given }: { folder: string; given: Readonly<Record<string, string>> },
): Environment {
  const outer = new Map(Object.entries(given));
  const path = folder === "." ? ".env" : `${folder}/.env`;
  const source = loader.source(path);
  if (source === null) return outer;
  const origin = { source, folder, env: outer, budget: loader.budget };
  return withDefaults(outer, loader.envFile(path, origin) ?? []);
}

function readName(top: Section, env: Environment): Fact<string> {
  const given = env.get("COMPOSE_PROJECT_NAME");
  if (given !== undefined && given !== "") return known(given, top.where);
  const why = "The compose file gives no name.";
  return top.fact("name", projectName, unknown<string>(why, top.where));
}

const projectName = {
  wanted: "project name: use a-z, 0-9, _ and -, beginning with a letter or digit",
  parse: (text: string) => (/^[a-z0-9][a-z0-9_-]*$/.test(text) ? text : null),
};

const serviceName = /^[A-Za-z0-9._-]+$/;

function activeServices(
  top: Section,
  profiles: ReadonlySet<string>,
): Pick<Project, "services" | "inactive"> {
  const services = new Map<string, NamedService>();
  const inactive = new Map<string, readonly string[]>();
  for (const [name, { key, section }] of resources(top, "services", "service")) {
    if (!serviceName.test(name) || name === "__proto__") {
      key.error("bad-name", `${quote(name)} is no name of a service: use A-Z, a-z, 0-9, _ - and .`);
      continue;
    }
    const own = section.items("profiles").flatMap((item) => textOf(item) ?? []);
    if (own.length === 0 || own.some((each) => profiles.has(each)) || profiles.has("*")) {
      const map = withoutDoubles(section.map);
      services.set(name, { name, key, section: new Section(map, section.of, top.leftOut) });
    } else {
      inactive.set(name, own);
      const why = `It has the profile ${own.join(", ")}, and nobody asked for that.`;
      section.listAt(key, section.of, why);
    }
  }
  return { services, inactive };
}
