import { initTRPC, TRPCError } from "@trpc/server";
import type { Accounts, SignedIn } from "../auth/accounts.ts";
import type { LiveConnections } from "../auth/live.ts";
import type { People } from "../auth/people.ts";
import type { SshCodes } from "../auth/ssh-codes.ts";
import type { UserSettings } from "../auth/user-settings.ts";
import { databaseFailure } from "../db/database.ts";
import {
  OneloopError,
  toOneloopError,
  type ErrorCode,
  type WireError,
} from "../protocol/errors.ts";
import type { TerminalService } from "../terminals/terminal-service.ts";
import type { Log } from "../util/log.ts";
import type { Environments } from "../workspaces/environments.ts";
import type { Workspaces } from "../workspaces/workspaces.ts";

/** What the web and the command line must know of this installation. */
export interface PublicConfig {
  readonly version: string;
  readonly publicUrl: string;
  readonly domain: string;
  readonly sshHost: string;
  readonly sshPort: number;
  /** Whether a one-time code signs in by ssh, too. */
  readonly sshCodes: boolean;
}

export interface ApiServices {
  readonly accounts: Accounts;
  readonly people: People;
  readonly sshCodes: SshCodes;
  readonly live: LiveConnections;
  readonly settings: UserSettings;
  readonly workspaces: Workspaces;
  readonly environments: Environments;
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

export interface SignedInContext extends ApiContext {
  readonly user: SignedIn;
  /** Fires when the client goes away, and when a subscription's session or token is revoked. */
  readonly signal: AbortSignal;
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

/** JSON-RPC 2.0 section 5.1. */
const jsonRpcInternalError = -32_603;

/** What a client of tRPC takes for a failure that came before its procedure. */
export function failureShape(failure: OneloopError): object {
  const code = trpcCodes[failure.code] ?? "INTERNAL_SERVER_ERROR";
  const data = { code, oneloop: failure.toWire() };
  return { message: failure.message, code: jsonRpcInternalError, data };
}

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
  "database-unavailable": "SERVICE_UNAVAILABLE",
  internal: "INTERNAL_SERVER_ERROR",
};

/** What a procedure throws, as it goes over the wire; what nobody foresaw goes to the log. */
function failureOf(thrown: unknown, { ctx, path }: { ctx: ApiContext; path: string }): TRPCError {
  const failure = databaseFailure(thrown) ?? toOneloopError(thrown);
  if (failure.code === "internal" || failure.code === "database-unavailable")
    ctx.services.log.error({ err: thrown, path }, "procedure failed");
  else ctx.services.log.debug({ code: failure.code, cause: failure.cause, path }, "refused");
  return new TRPCError({
    code: trpcCodes[failure.code] ?? "UNPROCESSABLE_CONTENT",
    message: failure.message,
    cause: failure,
  });
}

/** Wraps what a procedure throws, once, also in the midst of a subscription. */
const errors = t.middleware(async ({ next, ctx, path }) => {
  const result = await next();
  if (result.ok) {
    if (!isAsyncIterable(result.data)) return result;
    return {
      ...result,
      data: wrapErrors(result.data, (thrown) => failureOf(thrown, { ctx, path })),
    };
  }
  const thrown = result.error.cause ?? result.error;
  if (result.error.code === "BAD_REQUEST" && !(thrown instanceof OneloopError)) return result;
  throw failureOf(thrown, { ctx, path });
});

async function* wrapErrors(
  source: AsyncIterable<unknown>,
  wrap: (thrown: unknown) => TRPCError,
): AsyncGenerator {
  try {
    yield* source;
  } catch (thrown) {
    throw wrap(thrown);
  }
}

/** PostgreSQL keeps no text with a NUL in it, and nothing that people name has one. */
const withoutNul = t.middleware(async ({ next, getRawInput }) => {
  if (hasNul(await getRawInput())) {
    throw new OneloopError("bad-input", "The request has a NUL character in a text.");
  }
  return next();
});

function hasNul(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0");
  return typeof value === "object" && value !== null && Object.values(value).some(hasNul);
}

export const router = t.router;
export const anyone = t.procedure.use(errors).use(withoutNul);

const notSignedIn = (): OneloopError =>
  new OneloopError(
    "not-signed-in",
    "You are not signed in. Run `loop login`, or open the sign-in link that `npm start` prints.",
  );

/** For signed-in users only. */
export const signedIn = anyone.use(async ({ next, ctx, type, signal }) => {
  const { user } = ctx;
  if (user === null) throw notSignedIn();
  const asked = signal ?? new AbortController().signal;
  const within = (ends: AbortSignal): SignedInContext => ({ ...ctx, user, signal: ends });
  if (type !== "subscription") return next({ ctx: within(asked) });
  const live = ctx.services.live.signal({ userId: user.id, credentialId: user.tokenId });
  const result = await next({ ctx: within(AbortSignal.any([asked, live.signal])) });
  if (!result.ok || !isAsyncIterable(result.data)) {
    live[Symbol.dispose]();
    return result;
  }
  return { ...result, data: untilRevoked(result.data, live) };
});

/** Ends with an error, so that the page learns why: an end would be no news to it. */
async function* untilRevoked(
  source: AsyncIterable<unknown>,
  live: Disposable & { readonly signal: AbortSignal },
): AsyncGenerator {
  using _registered = live;
  yield* source;
  if (live.signal.aborted) throw notSignedIn();
}

function isAsyncIterable(data: unknown): data is AsyncIterable<unknown> {
  return typeof data === "object" && data !== null && Symbol.asyncIterator in data;
}
