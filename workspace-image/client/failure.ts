import type { ErrorCode } from "../../server/protocol/errors.ts";

/** What a command could not do: a sentence that says what to do, and the status to end with. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** One of the closed list, where this version knows it. */
  readonly code: ErrorCode | (string & {});

  constructor(code: ErrorCode | (string & {}), message: string) {
    super(message);
    this.code = code;
  }

  /** 1: the answer is no; 2: wrong usage, or a failure. */
  get exitStatus(): 1 | 2 {
    return this.code === "not-found" ? 1 : 2;
  }
}
