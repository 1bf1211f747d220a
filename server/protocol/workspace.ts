import { z } from "zod";
import { ErrorCode } from "./errors.ts";

export const WorkspaceState = z.enum([
  "starting",
  "running",
  "stopping",
  "stopped",
  "deleting",
  "failed",
]);
export type WorkspaceState = z.infer<typeof WorkspaceState>;

/** What the user last asked for. */
export const DesiredState = z.enum(["running", "stopped", "deleted"]);
export type DesiredState = z.infer<typeof DesiredState>;

export const WorkspaceEvent = z.object({
  /** Grows by time; a subscription resumes after it. */
  id: z.number().int(),
  /** ISO 8601, UTC. */
  at: z.string(),
  level: z.enum(["info", "warning", "error"]),
  /** An error code, or the name of a step such as `sandbox-ready`. */
  code: z.string(),
  message: z.string(),
  file: z.string().optional(),
  line: z.number().int().optional(),
  column: z.number().int().optional(),
});
export type WorkspaceEvent = z.infer<typeof WorkspaceEvent>;

export const WorkspacePort = z.object({
  port: z.number().int(),
  protocol: z.string(),
  visibility: z.enum(["private", "signed-in", "public"]),
  url: z.string(),
  /** The program that listens, where it is known. */
  process: z.string().nullable(),
  /** The name of the devfile's endpoint. */
  name: z.string().nullable(),
});

export const WorkspaceServiceView = z.object({
  name: z.string(),
  state: z.enum(["created", "running", "exited", "missing"]),
  health: z.string().nullable(),
  image: z.string(),
  ports: z.array(z.number().int()),
});

/** The JSON of `loop list --json`, and without events of `loop show --json`. */
export const WorkspaceSummary = z.object({
  id: z.string(),
  name: z.string(),
  state: WorkspaceState,
  /** The last error, while the state is `failed`. */
  error: z.object({ code: ErrorCode, message: z.string() }).nullable(),
  url: z.string(),
  repository: z.string(),
  branch: z.string().nullable(),
  commit: z.string(),
  createdAt: z.string(),
  ssh: z.object({ host: z.string(), port: z.number().int(), user: z.string() }),
  ports: z.array(WorkspacePort),
  services: z.array(WorkspaceServiceView),
});
export type WorkspaceSummary = z.infer<typeof WorkspaceSummary>;

export const WorkspaceDetail = WorkspaceSummary.extend({
  events: z.array(WorkspaceEvent),
  leftOut: z.array(z.object({ what: z.string(), why: z.string(), where: z.string() })),
});
export type WorkspaceDetail = z.infer<typeof WorkspaceDetail>;

/** What a subscription of an opening or running workspace yields. */
export const WorkspaceUpdate = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("state"), workspace: WorkspaceSummary }),
  z.object({ kind: z.literal("event"), event: WorkspaceEvent }),
  z.object({ kind: z.literal("deleted") }),
]);
export type WorkspaceUpdate = z.infer<typeof WorkspaceUpdate>;

/** Work that exists only in the workspace and would be lost by deleting it. */
export const UnsavedWork = z.object({
  /** Lines of `git status --porcelain`. */
  uncommitted: z.array(z.string()),
  /** `<branch>: <short commit> <subject>` of each commit that no remote branch has. */
  unpushed: z.array(z.string()),
  stashes: z.array(z.string()),
});
export type UnsavedWork = z.infer<typeof UnsavedWork>;

export const SshKeyView = z.object({
  id: z.string(),
  name: z.string(),
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  fingerprint: z.string(),
  type: z.string(),
  createdAt: z.string(),
});
export type SshKeyView = z.infer<typeof SshKeyView>;

export const TerminalView = z.object({
  id: z.string(),
  title: z.string(),
  /** The name of the task that it shows; `null` for a shell. */
  task: z.string().nullable(),
  running: z.boolean(),
  exitCode: z.number().int().nullable(),
});
export type TerminalView = z.infer<typeof TerminalView>;
