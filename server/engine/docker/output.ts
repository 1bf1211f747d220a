import type { Duplex, Readable } from "node:stream";
import type Docker from "dockerode";
import { ReadyLine } from "../../protocol/supervisor.ts";

/** A piece of a container's output. */
export interface Chunk {
  readonly from: "stdout" | "stderr";
  readonly data: Buffer;
}

/** Bytes before each piece: stream, three zeros, length (Docker Engine API, "Attach"). */
const headerBytes = 8;
/** A ready line is short; what is longer is none. */
const maxLineBytes = 4096;

/**
 * The pieces of a multiplexed output stream, in order, as many at a time as have come. Ends when the
 * container's output ends; leaving the loop ends the connection.
 */
export async function* batchesOf(stream: Readable): AsyncGenerator<Chunk[]> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const data of stream as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
    const chunks: Chunk[] = [];
    while (pending.length >= headerBytes) {
      const end = headerBytes + pending.readUInt32BE(4);
      if (pending.length < end) break;
      const from = pending[0] === 2 ? "stderr" : "stdout";
      chunks.push({ from, data: pending.subarray(headerBytes, end) });
      pending = pending.subarray(end);
    }
    if (chunks.length > 0) yield chunks;
  }
}

/** The same, one by one. */
export async function* chunksOf(stream: Readable): AsyncGenerator<Chunk> {
  for await (const chunks of batchesOf(stream)) yield* chunks;
}

/** Both outputs of a container, from its first byte when it is called before the start. */
export async function attach(container: Docker.Container, signal: AbortSignal): Promise<Readable> {
  const stream = await container.attach({
    stream: true,
    stdout: true,
    stderr: true,
    hijack: true,
    abortSignal: signal,
  });
  return endWith(stream as unknown as Readable, signal);
}

/** The same, with the container's standard input to write to. */
export async function attachWithInput(container: Docker.Container): Promise<Duplex> {
  const stream = await container.attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
  });
  return stream as unknown as Duplex;
}

/** Output since the container's last start, and what follows. */
export async function follow(
  container: Docker.Container,
  finishedAt: string,
  signal: AbortSignal,
): Promise<Readable> {
  const stream = await container.logs({
    stdout: true,
    stderr: true,
    follow: true,
    since: secondsOf(finishedAt),
    abortSignal: signal,
  });
  return endWith(stream as unknown as Readable, signal);
}

/**
 * Reads until the program says that it is ready; resolves with `null`, and what it wrote to standard
 * error, when the output ends before.
 */
export async function untilReady(
  stream: Readable,
): Promise<{ ready: ReadyLine | null; stderr: string }> {
  let line = "";
  let stderr = "";
  for await (const { from, data } of chunksOf(stream)) {
    if (from === "stderr") {
      stderr = (stderr + data.toString("utf8")).slice(-maxLineBytes);
      continue;
    }
    const lines = (line + data.toString("utf8")).split("\n");
    line = lines.pop()?.slice(0, maxLineBytes) ?? "";
    for (const complete of lines) {
      const ready = parseReadyLine(complete);
      if (ready !== null) return { ready, stderr };
    }
  }
  return { ready: null, stderr };
}

/** The ready line of a supervisor or a sandbox; `null` for any other line. */
export function parseReadyLine(line: string): ReadyLine | null {
  if (!line.startsWith("{")) return null;
  try {
    return ReadyLine.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** A hijacked connection knows no signal: a cancelled step ends it here. */
export function endWith(stream: Readable, signal: AbortSignal): Readable {
  const end = (): void => {
    stream.destroy(signal.reason as Error);
  };
  // Who reads it is told by the reading; before anybody does, an error would end the process.
  stream.on("error", () => undefined);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  stream.once("close", () => signal.removeEventListener("abort", end));
  return stream;
}

/**
 * An engine's time as its log filter wants it: `seconds.nanoseconds`. The year 1 says "never".
 */
export function secondsOf(time: string): string {
  const seconds = Math.floor(Date.parse(time) / 1000);
  if (!(seconds > 0)) return "0";
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? "0";
  return `${seconds}.${fraction.padEnd(9, "0").slice(0, 9)}`;
}
