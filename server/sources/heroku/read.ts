import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { unsaidService } from "../../protocol/service.ts";
import type { Endpoint, EnvValue, SourceService } from "../../protocol/service.ts";
import type { LeftOut, SourceModel, SourceTask } from "../../protocol/source-model.ts";
import type { ReadResult } from "../result.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import { parseYaml } from "../yaml/parse.ts";
import { quote, SourceText } from "../yaml/source-text.ts";
import { readAddons } from "./addons.ts";
import type { Addon } from "./addons.ts";
import { readAppJson } from "./app-json.ts";
import type { AppJson, Script } from "./app-json.ts";
import { webPort } from "./platform.ts";
import { readProcfile } from "./procfile.ts";
import type { Process } from "./procfile.ts";

/** Both are at the root of a repository that runs on Heroku; the second is often not there. */
export const herokuPaths = ["Procfile", "app.json"] as const;

/**
 * Reads what a repository says to Heroku: the processes of its Procfile, and the settings and add-ons
 * of its app.json. docs/compose.md says it for users. Never throws, whatever the files say.
 *
 * @param read The text of a file below the repository's root; null where there is none.
 */
export function readHeroku(read: (path: string) => string | null): ReadResult {
  const [procfile, appJson] = herokuPaths.map((path) => {
    const text = read(path);
    return text === null ? null : new SourceText(text, path);
  });
  const sources = [procfile, appJson].flatMap((source) => source ?? []);
  const model = readSources(procfile ?? null, appJson ?? null);
  if (sources.length === 0) {
    const none = new SourceText("", "Procfile");
    const message = "The repository has no Procfile.";
    none.report({ start: 0, end: 1 }, { severity: "error", code: "missing-file", message });
    sources.push(none);
  }
  const diagnostics = sources.flatMap((source) => source.diagnostics());
  return sources.some(({ hasErrors }) => hasErrors)
    ? { ok: false, diagnostics }
    : { ok: true, model, warnings: diagnostics };
}

function readSources(procfile: SourceText | null, appJson: SourceText | null): SourceModel {
  const leftOut: LeftOut[] = [];
  const processes = procfile === null ? [] : readProcfile(procfile);
  if (procfile !== null && processes.length === 0 && !procfile.hasErrors) {
    const message = "The Procfile names no process: write one such as `web: npm start`.";
    procfile.report({ start: 0, end: 1 }, { severity: "error", code: "empty-file", message });
  }
  const top = appJson === null ? null : readTop(appJson);
  const app = top === null ? null : readAppJson(top, leftOut);
  const taken = new Set(processes.map(({ name }) => name));
  const addons = top === null ? [] : readAddons(top, { taken, leftOut });
  checkFormation(app, processes);
  const start = { file: procfile?.file ?? appJson?.file ?? "Procfile", line: 1, column: 1 };
  const services = processes.map((process) => serviceOf(process, { app, addons }));
  return {
    format: "heroku",
    name: app?.name ?? unknown("Neither the Procfile nor app.json gives a name.", start),
    services: [...services, ...addons.map(({ service }) => service)],
    volumes: [],
    tasks: tasksOf(app?.scripts ?? [], processes, leftOut),
    projects: [],
    routes: services.flatMap(routeOf),
    policies: [],
    leftOut,
  };
}

function readTop(source: SourceText): MapCursor | null {
  const cursor = parseYaml(source);
  if (cursor === null || cursor.isNull) {
    if (!source.hasErrors) {
      const message = "app.json is empty: write {}, or remove the file.";
      source.report({ start: 0, end: 1 }, { severity: "error", code: "empty-file", message });
    }
    return null;
  }
  return cursor.map();
}

function checkFormation(app: AppJson | null, processes: readonly Process[]): void {
  const names = new Set(processes.map(({ name }) => name));
  for (const [name, { key }] of app?.formation ?? []) {
    if (names.has(name)) continue;
    key.warning("unknown-process", `The Procfile has no process ${quote(name)}.`);
  }
}

function serviceOf(
  { name, command, where }: Process,
  { app, addons }: { app: AppJson | null; addons: readonly Addon[] },
): SourceService {
  const formation = app?.formation.get(name);
  const isWeb = name === "web";
  const env = new Map<string, Fact<EnvValue>>();
  for (const { variables } of addons) for (const [key, fact] of variables) env.set(key, fact);
  for (const [key, fact] of app?.env ?? []) env.set(key, fact);
  const port = isWeb ? portOf(command, env.get("PORT")) : null;
  if (port !== null && !env.has("PORT")) {
    env.set("PORT", known({ kind: "literal", value: String(port) }, where));
  }
  const built = "Heroku builds it from the source, by buildpacks.";
  return {
    ...unsaidService(where),
    name: known(name, where),
    image: unknown(built, where),
    build: unknown(built, where),
    workload: known("dyno", where),
    // A dyno runs its line by bash.
    command: known(["/bin/bash", "-c", command], where),
    args: known([], where),
    role: known(name === "release" ? "release" : "service", where),
    // Heroku starts a dyno again when it ends (https://devcenter.heroku.com/articles/dynos).
    restart: known(name === "release" ? "no" : "always", where),
    replicas:
      formation?.replicas ??
      (name === "release" ? known(1, where) : unknown("It is set on Heroku, not here.", where)),
    memoryLimitBytes:
      formation?.memory ?? unknown("The dyno's size is set on Heroku, not here.", where),
    // A dyno has 30 s from SIGTERM to SIGKILL.
    stopGraceSeconds: known(30, where),
    env: Object.fromEntries(env),
    endpoints: port === null ? [] : [known(endpointOf(port), where)],
    names: [known({ name, ports: [] }, where)],
  };
}

/**
 * Heroku gives the web process another port at each start; here it is app.json's, or the one that the
 * command falls back to (`${PORT:-3000}`), or that of `heroku local`.
 */
function portOf(command: string, variable: Fact<EnvValue> | undefined): number {
  const said =
    variable?.known === true && variable.value.kind === "literal" ? variable.value.value : null;
  const text = said ?? /\$\{PORT:?-(\d{1,5})\}/.exec(command)?.[1] ?? "";
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : webPort;
}

function endpointOf(targetPort: number): Endpoint {
  const rest = { protocol: "http", secure: false, path: null } as const;
  return { name: "web", targetPort, exposure: "public", ...rest };
}

/** The router answers every host name of the app, with TLS. */
function routeOf({ name, endpoints }: SourceService): SourceModel["routes"] {
  const [endpoint] = endpoints;
  if (endpoint?.known !== true || !name.known) return [];
  const route = {
    host: null,
    path: "/",
    service: name.value,
    port: endpoint.value.targetPort,
    tls: true,
  };
  return [known(route, endpoint.where)];
}

/** Scripts run in a dyno of the app, when somebody asks: production's own runs are not repeated. */
function tasksOf(
  scripts: readonly Script[],
  processes: readonly Process[],
  leftOut: LeftOut[],
): SourceTask[] {
  const process = processes.find(({ name }) => name === "web") ?? processes[0];
  return scripts.flatMap(({ name, command, where }) => {
    if (process === undefined) {
      leftOut.push({ what: `script ${quote(name)}`, why: "No process can run it.", where });
      return [];
    }
    const task: SourceTask = {
      name,
      service: known(process.name, where),
      commandLine: known(command, where),
      workingDir: known(null, where),
      env: [],
      event: null,
      needs: [],
      where,
    };
    return [task];
  });
}
