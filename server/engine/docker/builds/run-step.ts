import type Docker from "dockerode";
import { supervisorMount } from "../../../protocol/supervisor.ts";
import { OneloopError } from "../../../protocol/errors.ts";
import { clean } from "../../../protocol/text.ts";
import { randomIds } from "../../../util/ids.ts";
import type { Owner, StepOptions } from "../../steps.ts";
import { commitContainer, type ImageConfig } from "../commit.ts";
import { boundedLog, exitStatus, removeContainer } from "../containers.ts";
import { formatEnv } from "../image-facts.ts";
import { trustEnvironment } from "../images/trust.ts";
import { cpuLimit, memoryLimit } from "../mirror-options.ts";
import { label, type Names, type Role } from "../names.ts";
import { attach, chunksOf } from "../output.ts";
import { readOnlyVolume } from "../volumes.ts";
import type { BuildLimits } from "./limits.ts";

/** The authorities of the operator's own that a build's programs trust. */
export interface BuildTrust {
  /** Of the certificates: with others, what a program fetches may be another's. */
  readonly id: string;
  /** The supervisor's volume, in which their bundle is. */
  readonly volume: string;
}

export interface RunParts {
  readonly docker: Docker;
  readonly names: Names;
  /** The run of this control plane: what a killed one left is removed by the next. */
  readonly run: string;
  readonly owner: Owner;
  /** The sandbox whose network, and whose rules, the program has. */
  readonly sandboxId: string;
  readonly trust: BuildTrust | null;
  readonly limits: BuildLimits;
  readonly options: StepOptions;
}

/** NET_RAW evades rules; no build makes devices. */
const droppedCapabilities = ["MKNOD", "NET_RAW"];
const keptLines = 20;

/**
 * Runs one program of a Dockerfile on top of an image, confined as the workspace is, and keeps what
 * it changed as another image.
 *
 * @returns the id of that image
 * @throws OneloopError `image-unavailable` with the last lines where the program fails
 */
export async function runStep(
  parts: RunParts,
  image: { readonly id: string; readonly config: ImageConfig },
  step: {
    readonly command: string | readonly string[];
    readonly args: ReadonlyMap<string, string>;
    /** How an error names it: the Dockerfile's path and line. */
    readonly where: string;
  },
): Promise<string> {
  const { docker, names, owner, trust, limits, options } = parts;
  const role: Role = "job";
  const container = await docker.createContainer({
    name: names.job(owner, "build", randomIds.id()),
    Image: image.id,
    Entrypoint: trusting(trust, vectorOf(step, image.config)),
    Cmd: [],
    Healthcheck: { Test: ["NONE"] },
    Labels: { ...names.containerLabels(owner), [label.role]: role, [label.run]: parts.run },
    HostConfig: {
      NetworkMode: `container:${parts.sandboxId}`,
      CapDrop: droppedCapabilities,
      ...memoryLimit(limits.memoryBytes),
      ...cpuLimit(limits.cpuCores),
      PidsLimit: limits.pids,
      Mounts: trust === null ? [] : [readOnlyVolume(trust.volume, supervisorMount)],
      Init: true,
      RestartPolicy: { Name: "no" },
      LogConfig: boundedLog,
    },
  });
  try {
    const { signal } = options;
    const output = await attach(container, signal);
    await container.start({ abortSignal: signal });
    const last = await followLines(output, (line) => options.onProgress?.(line));
    const status = await exitStatus(container, signal);
    if (status !== 0) {
      throw new OneloopError(
        "image-unavailable",
        `${step.where}: the build's program ended with status ${status}.${last.map((line) => `\n${line}`).join("")}`,
      );
    }
    return await commitContainer(docker, container, image);
  } finally {
    await removeContainer(docker, container.id);
  }
}

/**
 * Arguments of the build are variables of its programs. They are set in the line and not in the
 * container, whose environment would become the image's; a vector without a shell does not get them.
 */
function vectorOf(
  { command, args }: { command: string | readonly string[]; args: ReadonlyMap<string, string> },
  config: ImageConfig,
): string[] {
  if (typeof command !== "string") return [...command];
  const shell = (config as { Shell?: string[] | null }).Shell ?? ["/bin/sh", "-c"];
  const known = new Set((config.Env ?? []).map((one) => one.split("=", 1)[0] ?? ""));
  // A variable of ENV goes before an argument of its name (Dockerfile reference, "ARG").
  const exports = Array.from(args)
    .filter(([name]) => !known.has(name) && /^[A-Za-z_]\w*$/.test(name))
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'; `);
  return [...shell, exports.join("") + command];
}

/**
 * The variables are the process's, by the volume's own `env`: an image may have none, and those of a
 * container would become the image's.
 */
function trusting(trust: BuildTrust | null, vector: readonly string[]): string[] {
  if (trust === null) return [...vector];
  return [`${supervisorMount}/bin/busybox`, "env", ...formatEnv(trustEnvironment), ...vector];
}

async function followLines(
  output: Parameters<typeof chunksOf>[0],
  onLine: (line: string) => void,
): Promise<string[]> {
  const last: string[] = [];
  let rest = "";
  const say = (line: string): void => {
    if (line.trim() === "") return;
    last.push(line);
    if (last.length > keptLines) last.shift();
    onLine(line);
  };
  for await (const { data } of chunksOf(output)) {
    const lines = (rest + data.toString("utf8")).split(/\r?\n|\r/);
    // A program that prints no line break is still shown, in pieces.
    rest = (lines.pop() ?? "").slice(-maxLineChars);
    for (const line of lines) say(clean(line.slice(0, maxLineChars)));
  }
  say(clean(rest));
  return last;
}

/** A longer line is no line for people. */
const maxLineChars = 2000;
