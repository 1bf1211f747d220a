import { Agent } from "node:http";
import type { Readable } from "node:stream";
import { inspect } from "node:util";
import Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";

/** What dockerode throws: the engine's answer has a status code, a failed connection an errno. */
interface EngineFailure {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message: string;
  readonly json?: { readonly message?: string };
}

const unreachableCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "EACCES",
  "EPIPE",
  "ENOTSOCK",
  "ETIMEDOUT",
]);

/** How long the engine may be silent, in milliseconds. */
export interface Patience {
  /** For an answer from its memory. */
  readonly readMs: number;
  /** For a container that starts, a network that is made. */
  readonly changeMs: number;
  /** For what may copy or remove many files: the first mount of a volume, the end of one. */
  readonly filesMs: number;
}

/** Ten times what a busy machine was seen to need, and more where it is the disk that works. */
export const usualPatience: Patience = { readMs: 30_000, changeMs: 60_000, filesMs: 300_000 };

/**
 * A client that keeps its connections: a new one costs each call a millisecond. No call waits for
 * ever: an engine that accepts and never answers is as one that is not there. A change is not given
 * up before that, even when its step is: what the engine would make of it afterwards nobody removes.
 *
 * @throws OneloopError `bad-input` for anything but a unix socket.
 */
export function connectDocker(
  dockerHost: string,
  patience: Patience,
): { docker: Docker; agent: Agent } {
  const socketPath = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (socketPath === undefined) {
    throw new OneloopError(
      "bad-input",
      `DOCKER_HOST: ${dockerHost} is not a unix socket of this machine, such as unix:///var/run/docker.sock.`,
    );
  }
  const agent = new BriefAgent({ keepAlive: true });
  const options = { socketPath, agent };
  const docker = new Docker(options);
  limitSilence(docker.modem as Modem, patience);
  return { docker, agent };
}

/**
 * docker-modem makes a text of each request's options, for a log that is off, with all that can be
 * reached from them: of the agent that is every open connection, with its parser and its listeners.
 * While ten services start, 40 to 90 ms of CPU for each call.
 */
class BriefAgent extends Agent {
  [inspect.custom](): string {
    return "Agent";
  }
}

/** What of docker-modem is used here; its types say nothing. */
interface Modem {
  dial(call: DockerCall, callback: DialCallback): void;
}

interface DockerCall {
  readonly path: string;
  readonly method: string;
  readonly options?: { readonly t?: number } | Readonly<Record<string, string>> | null;
  readonly abortSignal?: AbortSignal;
}

type DialCallback = (error: unknown, result: unknown) => void;

/** The engine said nothing; not an errno, as the connection itself is fine. */
class SilentEngine extends Error {
  override readonly name = "SilentEngine";
}

/** The body of an answer, as it comes. */
export function dialStream(
  docker: Docker,
  path: string,
  { query, signal }: { query: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<Readable> {
  const call = {
    path: `${path}?`,
    method: "GET",
    isStream: true,
    statusCodes: { 200: true, 404: "no such object", 500: "server error" },
    options: query,
    abortSignal: signal,
  };
  const modem = docker.modem as Modem;
  return new Promise((resolve, reject) => {
    modem.dial(call, (error, stream) => {
      if (error === null || error === undefined) resolve(stream as Readable);
      else reject(error);
    });
  });
}

/** Ends each call that gets no answer in time. Of a stream this is its head; the rest may take long. */
function limitSilence(modem: Modem, patience: Patience): void {
  const dial = modem.dial.bind(modem);
  modem.dial = (call, callback) => {
    const ms = patienceFor(call, patience);
    if (ms === null) {
      dial(call, callback);
      return;
    }
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(), ms);
    const { abortSignal } = call;
    const signals = abortSignal === undefined ? [] : [abortSignal];
    const limited = { ...call, abortSignal: AbortSignal.any([silent.signal, ...signals]) };
    dial(limited, (error, result) => {
      clearTimeout(timer);
      const said = `no answer to ${call.method} ${call.path} in ${ms / 1000} s`;
      callback(silent.signal.aborted ? new SilentEngine(said) : error, result);
    });
  };
}

/** Null for what takes as long as it takes: its step's signal ends it. */
function patienceFor({ path, method, options }: DockerCall, patience: Patience): number | null {
  if (/^\/containers\/[^/]+\/wait/.test(path) || path.startsWith("/images/create")) return null;
  if (/^\/containers\/[^/]+\/stop/.test(path)) {
    return patience.changeMs + Number(options?.t ?? 0) * 1000;
  }
  if (method === "GET") return patience.readMs;
  const files =
    method === "DELETE" ||
    path.startsWith("/containers/create") ||
    /^\/containers\/[^/]+\/archive/.test(path) ||
    path.startsWith("/commit");
  return files ? patience.filesMs : patience.changeMs;
}

/** The HTTP status of the engine's refusal; `null` when it was not the engine that refused. */
export function statusOf(thrown: unknown): number | null {
  return (thrown as Partial<EngineFailure> | null)?.statusCode ?? null;
}

/** Goes on where the engine answers that this is so already, or that the object is gone. */
export async function unless<Result>(
  statuses: readonly number[],
  call: Promise<Result>,
): Promise<Result | null> {
  try {
    return await call;
  } catch (error) {
    const status = statusOf(error);
    if (status !== null && statuses.includes(status)) return null;
    throw error;
  }
}

/** Wraps what dockerode throws, once; the cause is kept for the log. */
export function toEngineError(thrown: unknown, signal: AbortSignal | null): OneloopError {
  if (thrown instanceof OneloopError) return thrown;
  if (thrown instanceof SilentEngine) {
    return new OneloopError(
      "engine-unreachable",
      "The Docker engine is there but does not answer. Restart it; nothing is lost, and what should run is started again.",
      { cause: thrown },
    );
  }
  if (signal?.aborted === true) return cancelled(signal);
  const failure = thrown as Partial<EngineFailure>;
  if (failure.statusCode === undefined && unreachableCodes.has(failure.code ?? "")) {
    return new OneloopError(
      "engine-unreachable",
      "The Docker engine does not answer. Start it, or set DOCKER_HOST to where it listens.",
      { cause: thrown },
    );
  }
  const said = (failure.json?.message ?? failure.message ?? String(thrown)).trim();
  return new OneloopError("engine-failed", `The Docker engine refused: ${said.slice(0, 500)}`, {
    cause: thrown,
  });
}

function cancelled(signal: AbortSignal): OneloopError {
  const late = (signal.reason as Error | undefined)?.name === "TimeoutError";
  return late
    ? new OneloopError("deadline-exceeded", "The engine took longer than the step may take.")
    : new OneloopError("cancelled", "The step was cancelled.", { cause: signal.reason });
}
