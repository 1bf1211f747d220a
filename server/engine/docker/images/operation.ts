import type Dockerode from "dockerode";
import { OneloopError } from "../../../protocol/errors.ts";

/** What every step of making the images needs. */
export interface ImageStep {
  readonly docker: Dockerode;
  readonly onProgress: (step: string, line: string) => void;
  readonly signal: AbortSignal;
}

/** No step takes longer on a slow machine; one that does hangs. */
export const stepTimeoutMs = 10 * 60 * 1000;

/** dockerode decodes BuildKit's progress; its types do not know it yet. */
interface FollowsProgress {
  followProgress(
    stream: NodeJS.ReadableStream,
    onFinished: (error: Error | null) => void,
    onProgress: (event: ProgressEvent) => void,
  ): void;
}

interface ProgressEvent {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
}

/** Resolves at the end of a build's, a pull's or an import's output; rejects with its error. */
export function followOutput(
  docker: Dockerode,
  output: NodeJS.ReadableStream,
  onLine: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: string | null = null;
    (docker as Dockerode & FollowsProgress).followProgress(
      output,
      (error) => {
        if (error !== null) reject(error);
        else if (failure !== null) reject(new Error(failure));
        else resolve();
      },
      (event) => {
        if (event.error !== undefined) failure = event.error;
        const text = event.error ?? decodeLog(event.stream) ?? event.status ?? "";
        for (const line of text.split("\n")) if (line.trim() !== "") onLine(line.trimEnd());
      },
    );
  });
}

/**
 * dockerode hands on BuildKit's own lines as text, and a program's output in base64 (5.0.1 converts
 * it twice). Its own lines have a space; base64 has none.
 */
function decodeLog(text: string | undefined): string | undefined {
  const encoded = text?.trim();
  if (encoded === undefined || !/^[A-Za-z0-9+/]{4,}={0,2}$/.test(encoded)) return text;
  const decoded = Buffer.from(encoded, "base64");
  return decoded.toString("base64") === encoded ? decoded.toString() : text;
}

/** The HTTP status with which the engine refused; `null` when the error is something else. */
export function engineStatus(error: unknown): number | null {
  if (!(error instanceof Error) || !("statusCode" in error)) return null;
  return typeof error.statusCode === "number" ? error.statusCode : null;
}

/** What `find` gives; `null` where the engine says that there is no such object. */
export async function orMissing<Found>(find: Promise<Found>): Promise<Found | null> {
  try {
    return await find;
  } catch (error) {
    if (engineStatus(error) === 404) return null;
    throw error;
  }
}

/** The error codes of a connection that nobody answers. */
const unreachable = new Set(["ENOENT", "ECONNREFUSED", "EACCES"]);

/**
 * Wraps what a step threw: `cancelled` where the caller ended it, `engine-unreachable`, else
 * `image-unavailable` with `advice`.
 */
export function stepError(thrown: unknown, signal: AbortSignal, advice: string): OneloopError {
  if (thrown instanceof OneloopError) return thrown;
  if (signal.aborted) {
    return new OneloopError("cancelled", "Preparing the images was cancelled.", { cause: thrown });
  }
  const code = thrown instanceof Error && "syscall" in thrown && "code" in thrown && thrown.code;
  if (typeof code === "string" && unreachable.has(code)) {
    return new OneloopError(
      "engine-unreachable",
      "The Docker engine does not answer. Start it, or set DOCKER_HOST to its socket.",
      { cause: thrown },
    );
  }
  return new OneloopError("image-unavailable", advice, { cause: thrown });
}
