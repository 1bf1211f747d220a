import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import type { Fact } from "../../../server/protocol/fact.ts";
import type { SourceService } from "../../../server/protocol/service.ts";
import { defaultComposeFiles } from "../../../server/sources/compose/paths.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";
import { shellWords } from "../../../server/sources/compose/values.ts";
import { systemExecer } from "../../../server/util/execer.ts";
import { projects } from "./projects.ts";

/** Real compose files of others, where they are at hand. */
const fixtures = resolve(import.meta.dirname, "../../../../shared/fixtures");

/** Debian's docker-compose is version 1.29: the oracle for what it and today's files both mean. */
const program = "docker-compose";
const isThere = await systemExecer.run(program, ["version"]).then(
  ({ exitCode }) => exitCode === 0,
  () => false,
);

/** A service of `docker-compose config`: only what is compared. */
interface Oracle {
  image?: string;
  build?: { context: string; dockerfile?: string; target?: string; args?: Record<string, string> };
  command?: string | string[];
  entrypoint?: string | string[];
  environment?: Record<string, string | number | null>;
  ports?: (string | { target: number; published?: number; protocol?: string })[];
  expose?: (string | number)[];
  volumes?: (string | { type: string; source?: string; target: string; read_only?: boolean })[];
  depends_on?: Record<string, { condition: string }> | string[];
  links?: string[];
  healthcheck?: { test?: string | string[]; interval?: string; timeout?: string; retries?: number };
  mem_limit?: string | number;
  cpus?: number;
  deploy?: { replicas?: number; resources?: { limits?: { memory?: string; cpus?: string } } };
  scale?: number;
  restart?: string;
  user?: string;
  working_dir?: string;
  read_only?: boolean;
  privileged?: boolean;
  cap_add?: string[];
  cap_drop?: string[];
  secrets?: { source: string; target?: string }[];
  configs?: { source: string; target?: string }[];
  networks?: Record<string, { aliases?: string[] } | null>;
  container_name?: string;
  hostname?: string;
  tmpfs?: string[];
}

/** What both say of a service, in words of neither. */
type Said = Record<string, unknown>;

const words = (value: string | string[] | undefined): unknown =>
  typeof value === "string" ? shellWords(value) : (value ?? null);

/** The oracle doubles dollar signs, so that its output is a compose file again. */
const single = (text: string): string => text.replaceAll("$$", "$");

const inside = (path: string, folder: string): string => {
  if (path === folder) return ".";
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
};

function saidByOracle(name: string, service: Oracle, folder: string): Said {
  const ports = (service.ports ?? []).map((port) => {
    if (typeof port !== "string") return `${port.target}/${port.protocol ?? "tcp"}`;
    const [target = "", protocol = "tcp"] = (port.split(":").at(-1) ?? "").split("/");
    return `${target}/${protocol}`;
  });
  const exposed = (service.expose ?? []).map((port) =>
    `${port}/tcp`.replace(/(\/\w+)\/tcp$/, "$1"),
  );
  const mounts = (service.volumes ?? []).flatMap((mount) => {
    if (typeof mount !== "string") {
      const { type, source = "", target, read_only: readOnly = false } = mount;
      if (type === "tmpfs") return [];
      return [mountOf({ source, target, readOnly: readOnly && type === "volume" }, folder)];
    }
    const [source = "", target, mode] = mount.split(":");
    if (target === undefined)
      return [mountOf({ source: "", target: source, readOnly: false }, folder)];
    const readOnly = mode === "ro" && !source.startsWith("/");
    return [mountOf({ source, target, readOnly }, folder)];
  });
  const depends = service.depends_on ?? {};
  const conditions = Array.isArray(depends)
    ? depends.map((each) => [each, "service_started"])
    : Object.entries(depends).map(([each, { condition }]) => [each, condition]);
  const links = (service.links ?? []).map((link) => [link.split(":")[0], "service_started"]);
  const { build, healthcheck } = service;
  const test = healthcheck?.test;
  return {
    image: service.image ?? null,
    build:
      build === undefined
        ? null
        : {
            context: inside(build.context, folder),
            dockerfile: inside(resolve(build.context, build.dockerfile ?? "Dockerfile"), folder),
            target: build.target ?? null,
            // An argument that nobody gives is empty there.
            args: Object.fromEntries(
              Object.entries(build.args ?? {}).map(([key, value]) => [
                key,
                value === "" ? null : value,
              ]),
            ),
          },
    command: words(single2(service.entrypoint)),
    args:
      service.command === undefined
        ? service.entrypoint === undefined
          ? null
          : []
        : words(single2(service.command)),
    environment: Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([key, value]) => [
        key,
        value === null ? null : single(String(value)),
      ]),
    ),
    ports: [...new Set([...ports, ...exposed])].toSorted(),
    mounts: mounts.toSorted(),
    depends: Object.fromEntries([...links, ...conditions]),
    check:
      test === undefined
        ? null
        : typeof test === "string"
          ? ["/bin/sh", "-c", single(test)]
          : test[0] === "CMD-SHELL"
            ? ["/bin/sh", "-c", single(test[1] ?? "")]
            : test.slice(1).map(single),
    times:
      healthcheck === undefined ? null : [healthcheck.retries ?? 3, seconds(healthcheck.interval)],
    memory: memory(service.deploy?.resources?.limits?.memory ?? service.mem_limit),
    cpus: Number(service.deploy?.resources?.limits?.cpus ?? service.cpus ?? 0),
    replicas: service.deploy?.replicas ?? service.scale ?? 1,
    restart: (service.restart ?? "no")
      .replace(/^on-failure.*/, "on-failure")
      .replace("unless-stopped", "always"),
    user: service.user ?? null,
    workingDir: service.working_dir ?? null,
    readOnly: service.read_only ?? false,
    privileged: service.privileged ?? false,
    added: (service.cap_add ?? []).toSorted(),
    dropped: service.cap_drop ?? [],
    secrets: (service.secrets ?? []).map(({ source, target }) => `${source} ${target ?? source}`),
    configs: (service.configs ?? []).map(
      ({ source, target }) => `${source} ${target ?? `/${source}`}`,
    ),
    names: [
      ...new Set([
        name,
        ...[service.container_name ?? [], service.hostname ?? []].flat(),
        ...Object.values(service.networks ?? {}).flatMap((each) => each?.aliases ?? []),
      ]),
    ].toSorted(),
    tmpfs: (service.tmpfs ?? []).map((each) => each.split(":")[0]),
  };
}

const single2 = (value: string | string[] | undefined): string | string[] | undefined =>
  typeof value === "string" ? single(value) : value?.map(single);

function mountOf(
  { source, target, readOnly }: { source: string; target: string; readOnly: boolean },
  folder: string,
): string {
  const from = source === "" ? "?" : inside(source, folder);
  return `${from} ${target.replace(/(.)\/$/, "$1")}${readOnly ? " ro" : ""}`;
}

/** The oracle writes whole units, such as 90s and 1500ms. */
function seconds(text: string | undefined): number {
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  let sum = 0;
  for (const [, digits, unit] of (text ?? "30s").matchAll(/(\d+)(ms|s|m|h)/g)) {
    sum += Number(digits) * (units[unit ?? ""] ?? 0);
  }
  return sum;
}

function memory(limit: string | number | undefined): number | null {
  if (limit === undefined) return null;
  const [, digits = "", unit = ""] = /^([\d.]+)\s*([a-z]?)/i.exec(String(limit)) ?? [];
  return Math.floor(Number(digits) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase()));
}

function value<Value>(fact: Fact<Value>): Value | null {
  return fact.known ? fact.value : null;
}

function saidByUs(service: SourceService): Said {
  const readiness = value(service.readiness);
  const files = service.files.flatMap((each) => value(each) ?? []);
  const conditions = {
    started: "service_started",
    healthy: "service_healthy",
    completed: "service_completed_successfully",
  };
  const build = value(service.build);
  const secrets = files.flatMap(({ path, content }) =>
    content.kind === "secretRef" ? [`${content.key} ${path.replace("/run/secrets/", "")}`] : [],
  );
  const binds = files.flatMap(({ path, content }) =>
    content.kind === "repository" ? [`${content.path} ${path}`] : [],
  );
  const hosts = service.hostAccess.flatMap((each) => value(each) ?? []);
  return {
    image: value(service.image),
    build,
    command: value(service.command),
    args: value(service.args),
    environment: Object.fromEntries(
      Object.entries(service.env).map(([name, fact]) => {
        const env = value(fact);
        return [name, env?.kind === "literal" ? env.value : null];
      }),
    ),
    ports: [
      ...new Set(
        service.endpoints.flatMap((each) => {
          const endpoint = value(each);
          if (endpoint === null) return [];
          return [`${endpoint.targetPort}/${endpoint.protocol === "udp" ? "udp" : "tcp"}`];
        }),
      ),
    ].toSorted(),
    binds,
    mounts: service.mounts.flatMap((each) => {
      const mount = value(each);
      if (mount === null) return [];
      return [`${mount.volume} ${mount.path}${mount.readOnly === true ? " ro" : ""}`];
    }),
    hosts: hosts.filter(({ what }) => what === "host-path").length,
    depends: Object.fromEntries(
      service.dependsOn.flatMap((each) => {
        const one = value(each);
        return one === null ? [] : [[one.service, conditions[one.condition]]];
      }),
    ),
    check: readiness?.check.kind === "exec" ? readiness.check.command : null,
    times: readiness === null ? null : [readiness.failures, readiness.periodS],
    memory: value(service.memoryLimitBytes),
    cpus: value(service.cpuLimitCores) ?? 0,
    replicas: value(service.replicas),
    restart: value(service.restart),
    user: value(service.user),
    workingDir: value(service.workingDir),
    readOnly: value(service.readOnlyRoot),
    privileged: hosts.some(({ what }) => what === "privileged"),
    added: value(service.capabilitiesAdded)?.toSorted(),
    dropped: value(service.capabilitiesDropped),
    secrets,
    names: service.names.flatMap((each) => value(each)?.name ?? []).toSorted(),
    tmpfs: service.tmpfs.flatMap((each) => value(each)?.path ?? []),
  };
}

/**
 * Both, made alike: files of configs are binds to us; paths of the machine are access to us; volumes
 * without a name have one with us.
 */
function alike(oracle: Said, ours: Said, configs: Readonly<Record<string, { file?: string }>>) {
  const all = oracle["mounts"] as string[];
  const ofMachine = all.filter((each) => /^[/~]/.test(each));
  const rest = all.filter((each) => !ofMachine.includes(each));
  const mounts = ours["mounts"] as string[];
  const binds = ours["binds"] as string[];
  const files = (oracle["configs"] as string[]).map((each) => {
    const [source = "", target = ""] = each.split(" ");
    return `${configs[source]?.file ?? ""} ${target}`;
  });
  const unnamed = rest.filter((each) => each.startsWith("? ")).map((each) => each.slice(2));
  const named = mounts.map((each) => {
    const [, path = ""] = each.split(" ");
    return unnamed.includes(path) ? `? ${path}` : each;
  });
  const { configs: _, ...others } = oracle;
  const { binds: __, ...own } = ours;
  return {
    oracle: { ...others, hosts: ofMachine.length, mounts: [...rest, ...files].toSorted() },
    ours: { ...own, mounts: [...named, ...binds].toSorted() },
  };
}

async function config(folder: string, files: readonly string[], env: Record<string, string>) {
  const args = files.flatMap((file) => ["-f", file]);
  const result = await systemExecer.run(program, [...args, "config"], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    timeoutMs: 60_000,
  });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return parse(result.stdout) as {
    services: Record<string, Oracle>;
    configs?: Record<string, { file?: string }>;
  };
}

interface Compared {
  readonly folder: string;
  readonly files: readonly string[];
  readonly env?: Record<string, string>;
}

async function compare({ folder, files, env = {} }: Compared): Promise<void> {
  const oracle = await config(folder, files, env);
  const result = readCompose(files, { read: readIn(folder), env });
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  const { services } = result.model;
  // The oracle shows services whose profiles nobody asked for, too.
  expect(Object.keys(oracle.services)).toEqual(
    expect.arrayContaining(services.map(({ name }) => value(name))),
  );
  expect(services.length).toBeGreaterThan(0);
  const configs = Object.fromEntries(
    Object.entries(oracle.configs ?? {}).map(([name, { file }]) => [
      name,
      file === undefined ? {} : { file: inside(file, folder) },
    ]),
  );
  for (const service of services) {
    const name = value(service.name) ?? "";
    const theirs = saidByOracle(name, oracle.services[name] ?? {}, folder);
    const both = alike(theirs, saidByUs(service), configs);
    expect({ name, ...both.ours }).toEqual({ name, ...both.oracle });
  }
}

function readIn(folder: string): (path: string) => string | null {
  return (path) => {
    const full = join(folder, path);
    return existsSync(full) && statSync(full).isFile() ? readFileSync(full, "utf8") : null;
  };
}

async function writeProject(files: Readonly<Record<string, string>>) {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "oneloop-compose-")));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return {
    folder,
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true });
    },
  };
}

describe.skipIf(!isThere)(`what ${program} makes of a project, we do`, () => {
  test.each(projects)("$what", async ({ files, paths, env }) => {
    await using project = await writeProject(files);
    await compare({
      folder: project.folder,
      files: paths ?? ["compose.yaml"],
      ...(env === undefined ? {} : { env }),
    });
  });

  test("a file that it refuses for a circle is refused here", async () => {
    await using project = await writeProject({
      "compose.yaml":
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
    });
    await expect(config(project.folder, ["compose.yaml"], {})).rejects.toThrow(/ircular/);
    const result = readCompose(["compose.yaml"], { read: readIn(project.folder) });
    expect(result.ok ? [] : result.diagnostics.map(({ code }) => code)).toEqual([
      "dependency-cycle",
    ]);
  });
});

/** Those that version 1.29 refuses or takes otherwise than Compose does today. */
const older = [
  // A value of a label has `$(…)` in it, which was a mistake then.
  "initcontainer",
  // `services` was not needed then.
  ...["envvars-separators", "image-pull-secret", "controller"],
  // A folder above the repository is none of ours.
  "dockerfilepath",
];

interface Published {
  readonly set: string;
  readonly name: string;
  readonly folder: string;
  readonly files: readonly string[];
}

function publishedIn(set: string): Published[] {
  const names = existsSync(join(fixtures, set)) ? readdirSync(join(fixtures, set)) : [];
  return names.flatMap((name) => {
    const folder = join(fixtures, set, name);
    const files = older.includes(name) ? [] : defaultComposeFiles(".", readIn(folder));
    return files.length === 0 ? [] : [{ set, name, folder, files }];
  });
}

const published = [
  "awesome-compose",
  "drift-pairs",
  "drift-pairs/kompose/script/test/fixtures",
].flatMap(publishedIn);

describe.skipIf(!isThere || published.length === 0)("projects that others publish", () => {
  test.each(published)("$set/$name", async ({ folder, files }) => {
    await using project = await writeProject({});
    await cp(folder, project.folder, { recursive: true });
    const text = files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
    // What nobody sets is unknown to us, and empty to the oracle: somebody sets it.
    const dotEnv = readIn(folder)(".env") ?? "";
    const names = Array.from(text.matchAll(/\$(?:\{(\w+)\}|(\w+))/g), ([, one, two]) => one ?? two);
    const env = Object.fromEntries(
      names.flatMap((name) =>
        name === undefined || dotEnv.includes(name) ? [] : [[name, "8080"]],
      ),
    );
    // The published part of a project has not the folders that it builds.
    for (const [, path = ""] of text.matchAll(/(?:build|context): *"?([\w./-]+)/g)) {
      await mkdir(join(project.folder, path), { recursive: true });
    }
    await compare({ folder: project.folder, files, env });
  });
});
