import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import { statusOf, unless } from "./client.ts";
import { label } from "./names.ts";
import { attach, follow, untilReady } from "./output.ts";
import { stopContainer } from "./stopping.ts";

/** What a container is created from; the label with its hash is added here. */
export type ContainerOptions = Docker.ContainerCreateOptions & {
  name: string;
  Labels: Record<string, string>;
};

/**
 * Output of programs that nobody reads must not fill the disk. Oneloop reads only the first line;
 * the rest is for the operator's own `docker logs`.
 */
export const boundedLog = { Type: "json-file", Config: { "max-size": "10m", "max-file": "2" } };

/**
 * The engine takes a name before the container can be found by it, and gives it back after it cannot
 * be any more; no event tells of either. After all of these, 8 s, it is no other run, which makes and
 * removes once.
 */
const maxAttempts = 40;
const pauseMs = 10;

/** Of all that is fixed when a container is made; its name can change while it runs. */
export function specHash({
  name: _name,
  NetworkingConfig: _names,
  ...made
}: ContainerOptions): string {
  return createHash("sha256").update(JSON.stringify(made)).digest("hex");
}

/** A container, and what the engine says of it where it was there already. */
export interface EnsuredContainer {
  readonly container: Docker.Container;
  readonly found: Docker.ContainerInspectInfo | null;
}

/**
 * The container of this name, made from exactly these options: an existing one is kept as it is,
 * one that was made from others (an older plan, a half-done run of another release) is replaced.
 * Its named volumes stay. Creating first and looking only on a conflict saves the usual case a call.
 *
 * @param how.graceSeconds what one that runs and is replaced has to end itself.
 * @param how.spec by which it is known, where it is not by these options.
 */
export async function ensureContainer(
  docker: Docker,
  options: ContainerOptions,
  {
    signal,
    graceSeconds = 0,
    spec = specHash(options),
  }: { signal: AbortSignal; graceSeconds?: number; spec?: string },
): Promise<EnsuredContainer> {
  const labelled = { ...options, Labels: { ...options.Labels, [label.spec]: spec } };
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return { container: await docker.createContainer(labelled), found: null };
    } catch (error) {
      if (statusOf(error) === 404) throw missingImage(options.Image ?? "", error);
      if (statusOf(error) !== 409 || attempt >= maxAttempts) throw error;
    }
    const existing = docker.getContainer(options.name);
    const found = await unless([404], existing.inspect());
    if (found === null || found.State.Status === "removing") {
      await delay(pauseMs * attempt, undefined, { signal });
      continue;
    }
    const usable = found.State.Status !== "dead";
    if (usable && found.Config.Labels[label.spec] === spec) {
      return { container: docker.getContainer(found.Id), found };
    }
    if (found.State.Running && graceSeconds > 0) {
      await stopContainer(docker.getContainer(found.Id), { graceSeconds, signal });
    }
    await removeContainer(docker, found.Id);
  }
}

/** Removes it in any state, with its anonymous volumes; named volumes stay. */
export async function removeContainer(docker: Docker, id: string): Promise<void> {
  // 409: another run is removing it now.
  await unless([404, 409], docker.getContainer(id).remove({ force: true, v: true }));
}

/** A container whose output ended before it said that it was ready. */
export class EndedBeforeReady extends Error {
  override readonly name = "EndedBeforeReady";
  readonly exitCode: number;

  constructor(exitCode: number, stderr: string) {
    super(stderr.trim() === "" ? `exit status ${exitCode}` : stderr.trim());
    this.exitCode = exitCode;
  }
}

/**
 * Starts it where it does not run, and resolves when it has said that it is ready: on the stream
 * that was opened before the start, or in the log of one that ran already. Nothing polls.
 *
 * @returns the boot id that it said, if any.
 * @throws EndedBeforeReady
 */
export async function startUntilReady(
  container: Docker.Container,
  signal: AbortSignal,
): Promise<string | null> {
  const attached = await attach(container, signal);
  let started = true;
  try {
    started = (await unless([304], container.start({ abortSignal: signal }))) !== null;
    if (started) return await readyFrom(container, attached, signal);
  } finally {
    attached.destroy();
  }
  const { State } = await container.inspect();
  const logged = await follow(container, State.FinishedAt, signal);
  try {
    return await readyFrom(container, logged, signal);
  } finally {
    logged.destroy();
  }
}

async function readyFrom(
  container: Docker.Container,
  stream: Awaited<ReturnType<typeof attach>>,
  signal: AbortSignal,
): Promise<string | null> {
  const { ready, stderr } = await untilReady(stream);
  if (ready === null) throw new EndedBeforeReady(await exitStatus(container, signal), stderr);
  return ready.boot ?? null;
}

/**
 * The exit status of a container that was started, when it has ended. For after its output: of a
 * question that is sent beside the start, nobody knows whether it comes before a short program's end.
 */
export async function exitStatus(
  container: Docker.Container,
  signal: AbortSignal,
): Promise<number> {
  const waiting = container.wait({ abortSignal: signal }) as Promise<{ StatusCode: number }>;
  return (await waiting).StatusCode;
}

export function missingImage(ref: string, cause: unknown): OneloopError {
  return new OneloopError(
    "image-unavailable",
    `The engine has no image ${ref}. Oneloop builds its own images at \`npm start\`.`,
    { cause },
  );
}
