import type { Diagnostic, ErrorCode, UnsavedWork } from "./wire.ts";

/** 0 done, 1 the answer is no, 2 usage or failure. */
export type ExitStatus = 0 | 1 | 2;

/** The codes of the control plane, and two that only a command line meets. */
export type FailureCode = ErrorCode | "control-plane-unreachable" | "usage";

/**
 * Why a command ends without doing what was asked. (Not `OneloopError`: its module loads zod, which
 * takes longer than most commands.)
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;
  readonly diagnostics: readonly Diagnostic[];
  readonly status: ExitStatus;
  /** What a delete would lose. */
  readonly unsavedWork: UnsavedWork | null;

  constructor(
    code: FailureCode,
    message: string,
    options: {
      diagnostics?: readonly Diagnostic[];
      status?: ExitStatus;
      unsavedWork?: UnsavedWork;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.diagnostics = options.diagnostics ?? [];
    this.status = options.status ?? 2;
    this.unsavedWork = options.unsavedWork ?? null;
  }
}

interface WireShape {
  readonly code: ErrorCode;
  readonly message: string;
  readonly diagnostics?: readonly Diagnostic[];
}

/** The control plane's own words in an error of the tRPC client; null where it said nothing. */
function wireError(thrown: unknown): WireShape | null {
  const shape = property(thrown, "shape") ?? property(thrown, "data");
  const wire = property(property(shape, "data"), "oneloop") ?? property(shape, "oneloop");
  const said = typeof property(wire, "code") === "string";
  return said && typeof property(wire, "message") === "string" ? (wire as WireShape) : null;
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** What was thrown anywhere below, as a Failure: wrapped once, at the end of a command. */
export function toFailure(thrown: unknown, url: string): Failure {
  if (thrown instanceof Failure) return thrown;
  // Of a connection that was refused here, below the tRPC client.
  if (thrown instanceof Error && thrown.cause instanceof Failure) return thrown.cause;
  const wire = wireError(thrown);
  if (wire !== null) {
    return new Failure(wire.code, wire.message, {
      diagnostics: wire.diagnostics ?? [],
      cause: thrown,
    });
  }
  if (thrown instanceof Error && thrown.name === "OneloopError") {
    return new Failure(property(thrown, "code") as ErrorCode, thrown.message, { cause: thrown });
  }
  if (thrown instanceof Error && thrown.name === "TRPCClientError") {
    const status = property(property(property(thrown, "meta"), "response"), "status");
    return new Failure(
      "control-plane-unreachable",
      typeof status === "number"
        ? `What answers at ${url} is no control plane of Oneloop (HTTP ${status}). ` +
            "Name the right one with `loop login URL`."
        : `No control plane answers at ${url}. Start it with \`npm start\`, ` +
            "or name another with `loop login URL`.",
      { cause: thrown },
    );
  }
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  return new Failure("internal", said, { cause: thrown });
}
