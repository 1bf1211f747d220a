import { z } from "zod";

/**
 * Every way in which Oneloop can refuse or fail, as a closed list. A code is stable: scripts and the
 * web match on it. The sentence beside it may change.
 */
export const errorCodes = [
  // The caller
  "not-signed-in",
  "sign-in-code-invalid",
  "forbidden",
  "not-found",
  "bad-input",
  "conflict",
  // Repositories
  "context-url-invalid",
  "repository-unreachable",
  "repository-not-allowed",
  "ref-not-found",
  "checkout-failed",
  // Configuration files
  "devfile-invalid",
  "plan-impossible",
  "choice-needed",
  // The engine
  "engine-unreachable",
  "engine-failed",
  "image-unavailable",
  // Its registry says that there is none such, or that this person may not read it
  "image-not-found",
  "image-denied",
  "isolation-unavailable",
  "container-exited",
  // Workspaces
  "workspace-not-running",
  "unsaved-work",
  "illegal-transition",
  "supervisor-unreachable",
  "deadline-exceeded",
  "cancelled",
  // The database
  "database-unavailable",
  // Everything unforeseen: a defect of ours
  "internal",
] as const;

export const ErrorCode = z.enum(errorCodes);
export type ErrorCode = z.infer<typeof ErrorCode>;

/** A mistake in a configuration file: where, what, and the text of the line for the caret. */
export const Diagnostic = z.object({
  file: z.string(),
  /** 1-based. */
  line: z.number().int().positive(),
  /** 1-based, in UTF-16 code units, as editors count. */
  column: z.number().int().positive(),
  /** Length of the underlined range in UTF-16 code units; at least 1. */
  length: z.number().int().positive().default(1),
  severity: z.enum(["error", "warning"]),
  /** A stable, kebab-case name of the rule, such as `unknown-key`. */
  code: z.string(),
  message: z.string(),
  /** The source line, for the caret; absent where the file has no such line. */
  excerpt: z.string().optional(),
});
export type Diagnostic = z.infer<typeof Diagnostic>;

/** What goes over the wire: the user's text only, never the cause. */
export const WireError = z.object({
  code: ErrorCode,
  message: z.string(),
  diagnostics: z.array(Diagnostic).default([]),
});
export type WireError = z.infer<typeof WireError>;

export interface OneloopErrorOptions {
  /** What really happened: for the operator's log, never shown to a user. */
  cause?: unknown;
  diagnostics?: Diagnostic[];
}

/**
 * The only error that crosses a folder's border on purpose. `message` is a sentence for the user
 * that says what to do; `cause` is for the operator's log.
 */
export class OneloopError extends Error {
  override readonly name = "OneloopError";
  readonly code: ErrorCode;
  readonly diagnostics: Diagnostic[];

  constructor(code: ErrorCode, message: string, options: OneloopErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.diagnostics = options.diagnostics ?? [];
  }

  toWire(): WireError {
    return { code: this.code, message: this.message, diagnostics: this.diagnostics };
  }
}

/** Wraps an unknown throw once, at a boundary; an OneloopError passes unchanged. */
export function toOneloopError(thrown: unknown): OneloopError {
  if (thrown instanceof OneloopError) return thrown;
  return new OneloopError(
    "internal",
    "Something in Oneloop failed that should not. The control plane's log has the cause.",
    { cause: thrown },
  );
}

/** `file:line:column: code: message`, then the line and a caret under the range. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, length, code, message, excerpt } = diagnostic;
  const head = `${file}:${line}:${column}: ${code}: ${message}`;
  if (excerpt === undefined) return head;
  const gutter = String(line);
  const caret = "^".repeat(Math.max(1, Math.min(length, excerpt.length - column + 1)));
  const pad = excerpt.slice(0, column - 1).replaceAll(/[^\t]/g, " ");
  return `${head}\n  ${gutter} | ${excerpt}\n  ${" ".repeat(gutter.length)} | ${pad}${caret}`;
}
