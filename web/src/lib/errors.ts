import { TRPCClientError } from "@trpc/client";
import { WireError } from "../../../server/protocol/errors.ts";

/** What the control plane says of a failure, or what to say where it said nothing. */
export function wireError(error: unknown): WireError {
  if (error instanceof TRPCClientError) {
    const data: unknown = error.data;
    if (typeof data === "object" && data !== null && "oneloop" in data) {
      const parsed = WireError.safeParse(data.oneloop);
      if (parsed.success) return parsed.data;
    }
    return {
      code: "internal",
      message: "The control plane does not answer. Is `npm start` running?",
      diagnostics: [],
    };
  }
  return {
    code: "internal",
    message: "Something in this page failed that should not. Reloading it may help.",
    diagnostics: [],
  };
}

export function isNotSignedIn(error: unknown): boolean {
  return wireError(error).code === "not-signed-in";
}
