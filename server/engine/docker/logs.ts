import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { LogEntry, LogOptions } from "../services.ts";
import type { Owner } from "../steps.ts";
import { dialStream, statusOf, toEngineError } from "./client.ts";
import type { Names } from "./names.ts";
import { batchesOf, endWith, secondsOf, type Chunk } from "./output.ts";

const space = 32;

/**
 * The engine's log of a service's container. Nothing is kept here: what a reader does not take waits
 * in the engine's file.
 */
export async function* readLogs(
  { docker, names }: { docker: Docker; names: Names },
  { owner, service }: { owner: Owner; service: string },
  options: LogOptions,
): AsyncGenerator<readonly LogEntry[]> {
  const { signal, after } = options;
  try {
    signal.throwIfAborted();
    const stream = await open(docker, names.member(owner, service), options);
    for await (const chunks of batchesOf(endWith(stream, signal))) {
      const entries = chunks.map(entryOf);
      // The engine's filter includes the moment itself.
      const fresh = after === null ? entries : entries.filter(({ at }) => at > after);
      if (fresh.length > 0) yield fresh;
    }
  } catch (error) {
    // The reader has gone: that is an end, and no failure.
    if (signal.aborted) return;
    if (statusOf(error) === 404) {
      throw new OneloopError("workspace-not-running", `${service} was not started yet.`);
    }
    throw toEngineError(error, signal);
  }
}

/** dockerode itself would keep a log that is not followed in memory, to its end. */
function open(docker: Docker, container: string, options: LogOptions): Promise<Readable> {
  const { follow, tail, after, signal } = options;
  const query = {
    stdout: "true",
    stderr: "true",
    timestamps: "true",
    follow: String(follow),
    tail: tail === null ? "all" : String(tail),
    ...(after === null ? {} : { since: secondsOf(after) }),
  };
  return dialStream(docker, `/containers/${container}/logs`, { query, signal });
}

/** A piece is the time, a space, and what was printed. */
function entryOf({ from, data }: Chunk): LogEntry {
  const end = data.indexOf(space);
  const at = data.subarray(0, Math.max(0, end)).toString("latin1");
  return { at, stream: from, data: data.subarray(end + 1) };
}
