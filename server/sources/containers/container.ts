import { known, unknown, type Fact, type Place } from "../../protocol/fact.ts";
import { parseImageReference } from "../../protocol/image-reference.ts";
import { unsaidService, type ImageDefaults, type SourceService } from "../../protocol/service.ts";
import type { Container, Image } from "./answers.ts";
import { sameArgv, valuesNotRead, type Given } from "./given.ts";
import { readEndpoints, readHostAccess, readMounts } from "./machine.ts";
import { readCheck } from "./check.ts";
import { composeLabel } from "./select.ts";
import { namesOf, valueFinder } from "./secrets.ts";

/** What one container says of its service: all but what only several say together. */
export function readContainer(given: Given): SourceService {
  const { container, image, service, at } = given;
  const { HostConfig: host, Config: config } = container;
  const unsaid = unsaidService(at("Config"));
  const own = ownEnv(given);
  const mounts = readMounts(given);
  const positive = (value: number | null | undefined): number | null =>
    value !== null && value !== undefined && value > 0 ? value : null;
  const capabilities = (names: readonly string[] | null | undefined): string[] => [
    ...new Set((names ?? []).map((each) => each.toUpperCase().replace(/^CAP_/, ""))),
  ];
  return {
    ...unsaid,
    ...readCommand(given, own),
    ...mounts,
    name: known(service, at("Name")),
    image: readImage(given),
    env: Object.fromEntries(
      namesOf(own).map((name) => [
        name,
        known({ kind: "unknown" as const, why: valuesNotRead }, at(`Config.Env[${name}]`)),
      ]),
    ),
    envNamesOnly: true,
    ...(image === null ? {} : { imageDefaults: defaultsOf(image) }),
    user: known(beyond(config.User, image?.Config?.User), at("Config.User")),
    workingDir: known(
      beyond(config.WorkingDir, image?.Config?.WorkingDir),
      at("Config.WorkingDir"),
    ),
    memoryLimitBytes: known(positive(host.Memory), at("HostConfig.Memory")),
    memoryRequestBytes: known(positive(host.MemoryReservation), at("HostConfig.MemoryReservation")),
    cpuLimitCores: readCores(host, at),
    readOnlyRoot: known(host.ReadonlyRootfs === true, at("HostConfig.ReadonlyRootfs")),
    capabilitiesAdded: known(capabilities(host.CapAdd), at("HostConfig.CapAdd")),
    capabilitiesDropped: known(capabilities(host.CapDrop), at("HostConfig.CapDrop")),
    hostAccess: [...readHostAccess(given), ...mounts.hostAccess],
    endpoints: readEndpoints(given),
    readiness: readCheck(given, valueFinder(own)),
    platform: readPlatform(given),
    restart: known(restartOf(host.RestartPolicy?.Name), at("HostConfig.RestartPolicy")),
    stopGraceSeconds: known(config.StopTimeout ?? null, at("Config.StopTimeout")),
    workload: known("running container", at("Name")),
    dependsOn: readDependencies(given),
  };
}

/** A reference with the digest of what really runs; its tag may mean something else by now. */
function readImage({ container, image, at }: Given): Fact<string> {
  const where = at("Config.Image");
  const asked = container.Config.Image ?? "";
  const isId = /^(?:sha256:)?[a-f0-9]{12,64}$/.test(asked);
  const name = isId || asked === "" ? (image?.RepoTags?.[0] ?? null) : asked;
  if (name === null) return unknown("It was started by an image's id, which has no name.", where);
  const reference = parseImageReference(name);
  if (reference === null) return unknown("The engine gives no name of an image.", where);
  if (reference.digest !== null) return known(name, where);
  const digest = (image?.RepoDigests ?? [])
    .map((each) => parseImageReference(each))
    .find(
      (each) =>
        each !== null &&
        each.registry === reference.registry &&
        each.repository === reference.repository,
    )?.digest;
  return known(digest === undefined || digest === null ? name : `${name}@${digest}`, where);
}

/** The variables that the image does not set itself, in this way. */
function ownEnv({ container, image }: Given): string[] {
  const ofImage = new Set(image?.Config?.Env ?? []);
  return (container.Config.Env ?? []).filter((each) => !ofImage.has(each));
}

function defaultsOf({ Config: config }: Image): ImageDefaults {
  return {
    entrypoint: config?.Entrypoint ?? [],
    command: config?.Cmd ?? [],
    user: config?.User || null,
    env: namesOf(config?.Env ?? []),
  };
}

/** An engine mixes what was asked for with what the image has: what is the image's own is unsaid. */
function readCommand(
  given: Given,
  own: readonly string[],
): Pick<SourceService, "command" | "args"> {
  const { container, image, at } = given;
  const { Entrypoint: entrypoint, Cmd: cmd } = container.Config;
  const places = { command: at("Config.Entrypoint"), args: at("Config.Cmd") };
  const finds = valueFinder(own);
  const fact = (argv: readonly string[] | null, where: Place): Fact<string[] | null> => {
    const variable = argv?.map(finds).find((each) => each !== null) ?? null;
    return variable === null
      ? known(argv === null ? null : [...argv], where)
      : unknown(`the value of ${variable} stands in it, and ${valuesNotRead}`, where);
  };
  if (image === null) {
    return {
      command: fact(entrypoint ?? null, places.command),
      args: fact(cmd ?? null, places.args),
    };
  }
  const isImages = sameArgv(entrypoint, image.Config?.Entrypoint);
  return {
    command: fact(isImages ? null : (entrypoint ?? []), places.command),
    args: fact(isImages && sameArgv(cmd, image.Config?.Cmd) ? null : (cmd ?? []), places.args),
  };
}

/** Null where it is what the image says, or nothing. */
function beyond(said: string | null | undefined, ofImage: string | null | undefined) {
  return !said || said === ofImage ? null : said;
}

/** What a quota counts by, in microseconds, where the engine does not say (Linux). */
const usualCpuPeriod = 100_000;

function readCores(
  { NanoCpus: nano, CpuQuota: quota, CpuPeriod: period }: Container["HostConfig"],
  at: Given["at"],
): Fact<number | null> {
  if (nano !== null && nano !== undefined && nano > 0) {
    return known(nano / 1e9, at("HostConfig.NanoCpus"));
  }
  if (quota !== null && quota !== undefined && quota > 0) {
    return known(quota / (period || usualCpuPeriod), at("HostConfig.CpuQuota"));
  }
  return known(null, at("HostConfig.NanoCpus"));
}

function readPlatform({ image, at }: Given): Fact<string | null> {
  const { Os: os, Architecture: processor, Variant: variant } = image ?? {};
  if (!os || !processor) return unknown("Its image cannot be looked at.", at("Image"));
  return known([os, processor, ...(variant ? [variant] : [])].join("/"), at("Image"));
}

function restartOf(name: string | null | undefined): "no" | "on-failure" | "always" {
  if (name === "always" || name === "unless-stopped") return "always";
  return name === "on-failure" ? "on-failure" : "no";
}

const conditions: Readonly<Record<string, "started" | "healthy" | "completed">> = {
  service_started: "started",
  service_healthy: "healthy",
  service_completed_successfully: "completed",
};

/** Compose 2 writes it down, as `db:service_healthy:false,…`; an engine itself knows nothing of it. */
function readDependencies({ container, at }: Given): SourceService["dependsOn"] {
  const label = container.Config.Labels?.[composeLabel.dependsOn];
  const where = at(`Config.Labels[${composeLabel.dependsOn}]`);
  if (label === undefined) return [unknown("An engine does not know what waits for what.", where)];
  return label
    .split(",")
    .filter((each) => each !== "")
    .map((each) => {
      const [service = "", condition = ""] = each.split(":");
      return known(
        { service, condition: conditions[condition] ?? "started", required: true },
        where,
      );
    });
}
