import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import { randomIds } from "../../util/ids.ts";
import type { Log } from "../../util/log.ts";
import type { Job, JobMount, JobResult } from "../jobs.ts";
import type { Owner } from "../steps.ts";
import { statusOf } from "./client.ts";
import { boundedLog, missingImage, removeContainer } from "./containers.ts";
import { formatEnv } from "./image-facts.ts";
import { label, type Names, type Role } from "./names.ts";
import { attachWithInput, chunksOf, endWith } from "./output.ts";
import { volumeMount } from "./volumes.ts";

/** git over a large repository; what takes more is stopped, and nothing else suffers. */
const jobMemoryBytes = 1024 ** 3;
const jobPids = 256;
/** A script's scratch space, in memory. */
const jobTmp = "rw,nosuid,nodev,noexec,size=256m,mode=1777";
/** Enough for every list that Oneloop reads. */
const defaultMaxOutputBytes = 4 * 1024 * 1024;

export interface JobParts {
  readonly docker: Docker;
  readonly names: Names;
  /** The reference of the helper image. */
  readonly helperImage: string;
  /** The label value of this run of the control plane. */
  readonly run: string;
  /** Removals that go on after their job's answer: 80 ms that no start waits for. */
  readonly ending: Set<Promise<void>>;
  /** Containers that wait for their input, by what they will do. */
  readonly prepared: Map<string, Prepared>;
  readonly log: Log;
}

interface Prepared {
  readonly owner: Owner;
  readonly started: Promise<Started>;
}

/** A job's container that runs, waiting for its input. */
interface Started {
  readonly container: Docker.Container;
  readonly stream: Duplex;
  /** The exit status; rejects when the engine goes away. */
  readonly ended: Promise<number>;
  /** Until `ended` settles. */
  running: boolean;
}

/**
 * Runs one container to its end and removes it. Five calls to the engine: create, attach, start,
 * wait, remove; each is a round trip on the way of a start. One that was prepared needs none.
 *
 * @throws OneloopError `deadline-exceeded` after the job's own time-out.
 */
export async function runJob(parts: JobParts, job: Job, signal: AbortSignal): Promise<JobResult> {
  signal.throwIfAborted();
  const key = keyOf(job);
  const prepared = parts.prepared.get(key);
  parts.prepared.delete(key);
  const { container, stream, ended } =
    (await usable(prepared?.started)) ?? (await start(parts, job));
  using watchdog = new Watchdog(job.timeoutMs, signal);
  try {
    endWith(stream, watchdog.signal);
    stream.end(job.input ?? "");
    const [{ stdout, stderr }, exitCode] = await unlessAborted(
      watchdog.signal,
      Promise.all([collect(chunksOf(stream), job.maxOutputBytes ?? defaultMaxOutputBytes), ended]),
    );
    removeLater(parts, container.id);
    return { exitCode, stdout, stderr };
  } catch (error) {
    // It may still run: the next attempt at the same work must not meet it.
    await removeContainer(parts.docker, container.id);
    if (watchdog.expired && !signal.aborted) {
      throw new OneloopError(
        "deadline-exceeded",
        `The step "${job.name}" took longer than ${Math.round(job.timeoutMs / 1000)} s and was ended.`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Starts a job's container ahead; it waits for its input. What is not ready in time is removed. */
export async function prepareJob(parts: JobParts, job: Job, signal: AbortSignal): Promise<void> {
  const started = start(parts, job);
  try {
    await unlessAborted(signal, started);
  } catch (error) {
    started.then(
      ({ container, stream }) => {
        stream.destroy();
        removeLater(parts, container.id);
      },
      () => undefined,
    );
    throw error;
  }
  parts.prepared.set(keyOf(job), { owner: job.owner, started });
}

/** Forgets what was prepared for an owner whose containers are removed. */
export function forgetPrepared({ prepared }: JobParts, owner: Owner): void {
  for (const [key, one] of prepared) {
    if (one.owner.kind !== owner.kind || one.owner.id !== owner.id) continue;
    prepared.delete(key);
    one.started.then(
      ({ stream }) => stream.destroy(),
      () => undefined,
    );
  }
}

/** At the end of the control plane: what waits for an input that never comes holds a connection. */
export function endPrepared({ prepared }: JobParts): void {
  for (const { started } of prepared.values()) {
    started.then(
      ({ stream }) => stream.destroy(),
      () => undefined,
    );
  }
  prepared.clear();
}

/** A prepared container may have ended meanwhile, with its engine: then the job starts anew. */
async function usable(prepared: Promise<Started> | undefined): Promise<Started | null> {
  const started = await prepared?.catch(() => null);
  if (started === undefined || started === null) return null;
  return started.running && !started.stream.destroyed ? started : null;
}

/** Rejects as soon as the signal is aborted; the work itself goes on, unseen. */
function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  work.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

async function start(parts: JobParts, job: Job): Promise<Started> {
  const container = await create(parts, job);
  let stream: Duplex | null = null;
  try {
    stream = await attachWithInput(container);
    // Whoever reads it hears of its errors; until then one must not end the process.
    stream.on("error", () => stream?.destroy());
    await container.start();
    const ended = container.wait().then(({ StatusCode }: { StatusCode: number }) => StatusCode);
    const started: Started = { container, stream, ended, running: true };
    const noteEnd = (): void => void (started.running = false);
    ended.then(noteEnd, noteEnd);
    return started;
  } catch (error) {
    // The engine keeps the connection to a container that never started, even when it is removed.
    stream?.destroy();
    removeLater(parts, container.id);
    throw error;
  }
}

/** Jobs with the same key do the same with the same input. */
function keyOf({ input: _input, ...job }: Job): string {
  return JSON.stringify(job);
}

/** A removal that fails leaves a container that the next run removes as stale. */
function removeLater({ docker, ending, log }: JobParts, id: string): void {
  const removal = removeContainer(docker, id)
    .catch((error: unknown) => log.warn({ err: error, container: id }, "a job was not removed"))
    .finally(() => ending.delete(removal));
  ending.add(removal);
}

/** Removes jobs that a killed run of a control plane left: two checkouts must not meet. */
export async function removeStaleJobs(
  { docker, names, run }: JobParts,
  owner: Owner,
): Promise<void> {
  const role: Role = "job";
  const jobs = await docker.listContainers({
    all: true,
    filters: { label: [...names.filter(owner), `${label.role}=${role}`] },
  });
  const stale = jobs.filter(({ Labels }) => Labels[label.run] !== run);
  await Promise.all(stale.map(({ Id }) => removeContainer(docker, Id)));
}

async function create(
  { docker, names, helperImage, run }: JobParts,
  job: Job,
): Promise<Docker.Container> {
  const image = job.image === "helper" ? helperImage : job.image.ref;
  const role: Role = "job";
  try {
    return await docker.createContainer({
      name: names.job(job.owner, job.name, randomIds.id()),
      Image: image,
      Entrypoint: [...job.command],
      Cmd: [],
      OpenStdin: true,
      StdinOnce: true,
      User: job.user === undefined ? "0:0" : `${job.user.uid}:${job.user.gid}`,
      WorkingDir: "/",
      Env: formatEnv(job.env ?? {}),
      Labels: { ...names.containerLabels(job.owner), [label.role]: role, [label.run]: run },
      HostConfig: {
        NetworkMode: "none",
        CapDrop: ["ALL"],
        CapAdd: [...(job.capabilities ?? [])],
        SecurityOpt: ["no-new-privileges"],
        ReadonlyRootfs: true,
        Tmpfs: { "/tmp": jobTmp },
        Memory: jobMemoryBytes,
        MemorySwap: jobMemoryBytes,
        PidsLimit: jobPids,
        // An init would cost a process; a job's children end with its namespace.
        Init: false,
        RestartPolicy: { Name: "no" },
        LogConfig: boundedLog,
        Mounts: job.mounts.map((mount) => jobMount(names, mount)),
      },
    });
  } catch (error) {
    if (statusOf(error) === 404) throw missingImage(image, error);
    throw error;
  }
}

function jobMount(names: Names, mount: JobMount): Docker.MountSettings {
  switch (mount.kind) {
    case "volume":
      return volumeMount(names, { ...mount, noCopy: true });
    case "host":
      return { Type: "bind", Source: mount.hostPath, Target: mount.path, ReadOnly: true };
    default:
      return mount satisfies never;
  }
}

async function collect(
  chunks: ReturnType<typeof chunksOf>,
  maxBytes: number,
): Promise<{ stdout: string; stderr: string }> {
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const left = { stdout: maxBytes, stderr: maxBytes };
  for await (const { from, data } of chunks) {
    const part = data.subarray(0, left[from]);
    left[from] -= part.length;
    if (part.length > 0) kept[from].push(part);
  }
  return {
    stdout: Buffer.concat(kept.stdout).toString("utf8"),
    stderr: Buffer.concat(kept.stderr).toString("utf8"),
  };
}

/** A signal that fires with the outer one, or after a time. */
class Watchdog implements Disposable {
  readonly signal: AbortSignal;
  expired = false;
  readonly #timer = new AbortController();

  constructor(ms: number, outer: AbortSignal) {
    const own = new AbortController();
    this.signal = AbortSignal.any([outer, own.signal]);
    delay(ms, undefined, { signal: this.#timer.signal }).then(
      () => {
        this.expired = true;
        own.abort();
      },
      () => undefined,
    );
  }

  [Symbol.dispose](): void {
    this.#timer.abort();
  }
}
