import type { ErrorCode } from "../../server/protocol/errors.ts";

/** A request that is answered with `status` and `{code, message}`. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: ErrorCode;

  constructor(status: number, code: ErrorCode, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const badInput = (message: string): Refusal => new Refusal(400, "bad-input", message);
