import type { Steps } from "./types.ts";

export class StepFailure extends Error {
  constructor(
    message: string,
    options?: { readonly output?: readonly string[]; readonly cause?: unknown },
  );
}

/** What is asked of a terminal or a pipe. */
interface Output extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function createSteps(
  stream: Output,
  input?: NodeJS.ReadableStream & { readonly isTTY?: boolean },
): Steps & { fail(error: unknown): void };
