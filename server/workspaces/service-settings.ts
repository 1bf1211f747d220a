import { settingPart } from "../plan/mirror/settings.ts";
import { secretVariable } from "../plan/mirror/secrets.ts";
import { OneloopError } from "../protocol/errors.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { PlannedService, Probe, ValuePart } from "../protocol/service.ts";
import type { ServiceSetting } from "../protocol/workspace.ts";
import { isMirrored } from "./mirror/mirrored.ts";

/** A file's text beyond this is shown by its beginning: it is looked at in its source. */
const maxShownChars = 2000;

/**
 * Every setting of a service as it runs, with the lines that ask for it. Secrets are not in a plan;
 * where one stands, that is said.
 *
 * @throws OneloopError `not-found`
 */
export function serviceSettings(plan: WorkspacePlan, name: string): ServiceSetting[] {
  const service = plan.services.find((one) => one.name === name);
  if (service === undefined) {
    const names = plan.services.map((one) => one.name).join(", ");
    throw new OneloopError("not-found", `There is no service ${name.slice(0, 100)}, but ${names}.`);
  }
  const because = new Map(plan.because.map(({ part, where }) => [part, where.map(formatPlace)]));
  const setting = (shown: string, value: string | null, ...keys: string[]): ServiceSetting[] => {
    if (value === null) return [];
    const where = keys.flatMap((key) => because.get(settingPart(name, key)) ?? []);
    return [{ name: shown, value: value.slice(0, maxShownChars), where: [...new Set(where)] }];
  };
  return [...processOf(service, setting), ...mirrorOf(service, setting)].map((one) => ({
    ...one,
    // Of a devfile's own service, the lines of all of it.
    where: one.where.length > 0 || isMirrored(plan, name) ? one.where : all(because, name),
  }));
}

interface MakeSetting {
  (shown: string, value: string | null, ...keys: string[]): ServiceSetting[];
}

function all(because: ReadonlyMap<string, string[]>, service: string): string[] {
  return because.get(`service ${service}`) ?? [];
}

function processOf(service: PlannedService, setting: MakeSetting): ServiceSetting[] {
  const { endpoints, mounts, env, readOnlyRoot, user, command, args } = service;
  return [
    ...setting("image", service.image, "image"),
    ...setting("command", words(command), "command"),
    ...setting("args", words(args), "args"),
    ...setting("user", user, "user"),
    ...setting("read-only root", readOnlyRoot ? "yes" : null, "readOnlyRoot"),
    ...setting("memory limit", bytes(service.memoryLimitBytes), "memoryLimitBytes"),
    ...setting("memory request", bytes(service.memoryRequestBytes), "memoryRequestBytes"),
    ...setting("CPU limit", cores(service.cpuLimitCores), "cpuLimitCores"),
    ...setting("CPU request", cores(service.cpuRequestCores), "cpuRequestCores"),
    ...setting(
      "ports",
      list(endpoints.map(({ targetPort, protocol }) => `${targetPort} (${protocol})`)),
      "endpoints",
    ),
    ...setting(
      "mounts",
      list(
        mounts.map(({ volume, path, readOnly, subPath }) => {
          const from = subPath === undefined ? volume : `${volume}/${subPath}`;
          return `${from} at ${path}${readOnly === true ? ", read-only" : ""}`;
        }),
      ),
      "mounts",
    ),
    ...Object.entries(env).flatMap(([key, value]) => setting(`env ${key}`, value, `env ${key}`)),
  ];
}

function mirrorOf({ mirror }: PlannedService, setting: MakeSetting): ServiceSetting[] {
  if (mirror === undefined) return [];
  const { build, names, dependsOn, files, tmpfs } = mirror;
  return [
    ...Object.entries(mirror.composedEnv).flatMap(([key, parts]) =>
      setting(`env ${key}`, valueOf(parts), `env ${key}`),
    ),
    ...setting("build", build === null ? null : `${build.dockerfile} in ${build.context}`, "build"),
    ...setting("platform", mirror.platform, "platform"),
    ...setting("working folder", mirror.workingDir, "workingDir"),
    ...setting("role", mirror.role === "service" ? null : mirror.role, "role", "partOf"),
    ...setting("part of", mirror.partOf, "partOf"),
    ...setting("capabilities added", list(mirror.capabilitiesAdded), "capabilitiesAdded"),
    ...setting("capabilities dropped", list(mirror.capabilitiesDropped), "capabilitiesDropped"),
    ...setting("startup probe", probe(mirror.startup), "startup"),
    ...setting("readiness probe", probe(mirror.readiness), "readiness"),
    ...setting("liveness probe", probe(mirror.liveness), "liveness"),
    ...setting("restart", mirror.restart, "restart"),
    ...setting("time to stop", seconds(mirror.stopGraceSeconds), "stopGraceSeconds"),
    ...setting("host name", mirror.hostname ?? null, "hostname"),
    ...setting("names", list(names.map(nameWords)), "names"),
    ...setting(
      "waits for",
      list(dependsOn.map(({ service, condition }) => `${service} (${condition})`)),
      "dependsOn",
    ),
    ...setting("in memory", list(tmpfs.map(({ path }) => path)), "tmpfs"),
    ...files.flatMap(({ path, content }) =>
      setting(
        `file ${path}`,
        content.kind === "text" ? valueOf(content.parts) : `${content.path} of the repository`,
        "files",
      ),
    ),
  ];
}

function valueOf(parts: readonly ValuePart[]): string {
  return parts
    .map((part) => {
      if ("text" in part) return part.text;
      if ("variable" in part) return `(your variable ${part.variable})`;
      return `(a secret: your variable ${secretVariable(part.secret, part.key)}, or made here)`;
    })
    .join("");
}

function nameWords({
  name,
  ports,
}: {
  name: string;
  ports: readonly { port: number; targetPort: number }[];
}): string {
  const led = ports.filter(({ port, targetPort }) => port !== targetPort);
  const words = led.map(({ port, targetPort }) => `${port} to ${targetPort}`);
  return words.length === 0 ? name : `${name} (${words.join(", ")})`;
}

function probe(one: Probe | null): string | null {
  if (one === null) return null;
  const { check, initialDelayS, periodS, timeoutS, failures } = one;
  const times = [
    `every ${periodS} s`,
    ...(initialDelayS === 0 ? [] : [`from ${initialDelayS} s on`]),
    `at most ${timeoutS} s each`,
    `${failures} in a row count`,
  ];
  return `${checkWords(check)}; ${times.join(", ")}`;
}

function checkWords(check: Probe["check"]): string {
  switch (check.kind) {
    case "http":
      return `${check.scheme} port ${check.port} ${check.path}`;
    case "tcp":
      return `tcp port ${check.port}`;
    case "grpc":
      return `grpc port ${check.port}${check.service === "" ? "" : ` ${check.service}`}`;
    case "exec":
      return check.command.join(" ");
    default:
      return check satisfies never;
  }
}

function words(argv: readonly string[] | null): string | null {
  return argv === null || argv.length === 0 ? null : argv.join(" ");
}

function list(items: readonly string[]): string | null {
  return items.length === 0 ? null : items.join(", ");
}

function bytes(count: number | null): string | null {
  return count === null ? null : `${Math.round(count / 1024 ** 2)} MiB`;
}

function cores(count: number | null): string | null {
  return count === null ? null : `${count} cores`;
}

function seconds(count: number | null): string | null {
  return count === null ? null : `${count} s`;
}
