import { initTRPC, TRPCError } from "@trpc/server";
import type { Accounts, SignedIn } from "../auth/accounts.ts";
import {
  OneloopError,
  toOneloopError,
  type ErrorCode,
  type WireError,
} from "../protocol/errors.ts";
import type { TerminalService } from "../terminals/terminal-service.ts";
import type { Log } from "../util/log.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";

/** What the web and the command line must know of this installation. */
export interface PublicConfig {
  readonly version: string;
  readonly publicUrl: string;
  readonly domain: string;
  readonly sshHost: string;
  readonly sshPort: number;
}

export interface ApiServices {
  readonly accounts: Accounts;
  readonly workspaces: Workspaces;
  readonly terminals: TerminalService;
  readonly config: PublicConfig;
  readonly log: Log;
}

export interface ApiContext {
  readonly services: ApiServices;
  /** Who asks; null before a sign-in. */
  readonly user: SignedIn | null;
  /** Sets or clears the session cookie of the answer. */
  readonly setSession: (secret: string | null) => void;
}

const t = initTRPC.context<ApiContext>().create({
  errorFormatter: ({ shape, error }) => {
    const failure = error.cause instanceof OneloopError ? error.cause : null;
    const oneloop: WireError = failure?.toWire() ?? {
      code: error.code === "BAD_REQUEST" ? "bad-input" : "internal",
      message: error.code === "BAD_REQUEST" ? readable(error) : toOneloopError(error).message,
      diagnostics: [],
    };
    return {
      message: oneloop.message,
      code: shape.code,
      data: { code: shape.data.code, httpStatus: shape.data.httpStatus, oneloop },
    };
  },
  sse: {
    // Proxies drop connections that are silent for 30 to 60 s.
    ping: { enabled: true, intervalMs: 15_000 },
  },
});

function readable(error: TRPCError): string {
  return `The request is not of the form that this procedure takes: ${error.message.slice(0, 500)}`;
}

const trpcCodes: Partial<Record<ErrorCode, TRPCError["code"]>> = {
  "not-signed-in": "UNAUTHORIZED",
  "sign-in-code-invalid": "UNAUTHORIZED",
  forbidden: "FORBIDDEN",
  "not-found": "NOT_FOUND",
  "bad-input": "BAD_REQUEST",
  conflict: "CONFLICT",
  "unsaved-work": "CONFLICT",
  internal: "INTERNAL_SERVER_ERROR",
};

/** Wraps what a procedure throws, once; what nobody foresaw goes to the log with its cause. */
const errors = t.middleware(async ({ next, ctx, path }) => {
  const result = await next();
  if (result.ok) return result;
  const thrown = result.error.cause ?? result.error;
  if (result.error.code === "BAD_REQUEST" && !(thrown instanceof OneloopError)) return result;
  const failure = toOneloopError(thrown);
  if (failure.code === "internal")
    ctx.services.log.error({ err: thrown, path }, "procedure failed");
  else ctx.services.log.debug({ code: failure.code, cause: failure.cause, path }, "refused");
  throw new TRPCError({
    code: trpcCodes[failure.code] ?? "UNPROCESSABLE_CONTENT",
    message: failure.message,
    cause: failure,
  });
});

export const router = t.router;
export const anyone = t.procedure.use(errors);

/** For signed-in users only. */
export const signedIn = anyone.use(({ next, ctx }) => {
  if (ctx.user === null) {
    throw new OneloopError(
      "not-signed-in",
      "You are not signed in. Run `loop login`, or open the sign-in link that `npm start` prints.",
    );
  }
  return next({ ctx: { ...ctx, user: ctx.user } });
});
