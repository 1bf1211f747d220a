import { Agent } from "node:http";
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

/**
 * A client that keeps its connections: a new one costs each call a millisecond.
 *
 * @throws OneloopError `bad-input` for anything but a unix socket.
 */
export function connectDocker(dockerHost: string): { docker: Docker; agent: Agent } {
  const socketPath = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (socketPath === undefined) {
    throw new OneloopError(
      "bad-input",
      `DOCKER_HOST: ${dockerHost} is not a unix socket of this machine, such as unix:///var/run/docker.sock.`,
    );
  }
  const agent = new Agent({ keepAlive: true });
  const options = { socketPath, agent };
  return { docker: new Docker(options), agent };
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
