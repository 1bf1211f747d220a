import { z } from "zod";
import { ErrorCode } from "./errors.ts";
import { CommandGroup } from "./source-model.ts";

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

/** `private`: the workspace's owner; `signed-in`: everybody of this installation; `public`: all. */
export const PortVisibility = z.enum(["private", "signed-in", "public"]);
export type PortVisibility = z.infer<typeof PortVisibility>;

export const WorkspacePort = z.object({
  port: z.number().int(),
  protocol: z.string(),
  visibility: PortVisibility,
  url: z.string(),
  /** Something listens there now. */
  listening: z.boolean(),
  /** The service that stands alone and has this port; null: the dev container's network. */
  service: z.string().nullable(),
  /** The program that listens, where it is known. */
  process: z.string().nullable(),
  /** The name of the devfile's endpoint. */
  name: z.string().nullable(),
});

export type WorkspacePort = z.infer<typeof WorkspacePort>;

/**
 * How far a service is. The first four are the engine's word for a devfile's service; one of
 * production goes through the others too: it waits for those it depends on, its image is built or
 * pulled, and what ends is started again after a pause where production would.
 */
export const ServiceState = z.enum([
  "created",
  "running",
  "exited",
  "missing",
  "waiting",
  "building",
  "pulling",
  "starting",
  "completed",
  "backing-off",
  "failed",
]);
export type ServiceState = z.infer<typeof ServiceState>;

/** What a service's probes say. */
export const ServiceHealth = z.enum(["starting", "ready", "unready"]);
export type ServiceHealth = z.infer<typeof ServiceHealth>;

export const WorkspaceServiceView = z.object({
  name: z.string(),
  /** Unknown: it should run, and the engine does not say now. */
  state: ServiceState.or(z.literal("unknown")),
  /** What its probes say; null where it has none, or does not run. */
  health: ServiceHealth.nullable(),
  image: z.string(),
  ports: z.array(z.number().int()),
  /** It mirrors a service of production: it can be restarted and, where it is built, rebuilt. */
  mirrored: z.boolean(),
  /** Its image is built from the repository. */
  built: z.boolean(),
  /** How often it was started again since the workspace started. */
  restarts: z.number().int().nonnegative(),
  /** Why it is not running, or why it was started again last. */
  reason: z.string().nullable(),
  /** When it came into this state; ISO 8601, UTC; null where nobody noted it. */
  since: z.string().nullable(),
});
export type WorkspaceServiceView = z.infer<typeof WorkspaceServiceView>;

/** A setting of a service as it runs, and where production's files ask for it. */
export const ServiceSetting = z.object({
  name: z.string(),
  /** Of a secret, only that it is one. */
  value: z.string(),
  /** `file:line:column`; empty where nobody asks for it. */
  where: z.array(z.string()),
});
export type ServiceSetting = z.infer<typeof ServiceSetting>;

/** How much work exists only in the workspace. */
export const WorkCounts = z.object({
  uncommitted: z.number().int(),
  unpushed: z.number().int(),
  stashes: z.number().int(),
  /** The commit that is checked out; null in a repository without one. */
  head: z.string().nullable(),
  /** When it was counted; ISO 8601, UTC. */
  at: z.string(),
});
export type WorkCounts = z.infer<typeof WorkCounts>;

/** The JSON of `loop list --json`, and without events of `loop show --json`. */
export const WorkspaceSummary = z.object({
  id: z.string(),
  name: z.string(),
  state: WorkspaceState,
  /** The last error, while the state is `failed`. */
  error: z.object({ code: ErrorCode, message: z.string() }).nullable(),
  url: z.string(),
  repository: z.string(),
  /** Null for a tag, a pull request or a bare commit: the checkout is then detached. */
  branch: z.string().nullable(),
  /** The full ref; null for a bare commit. */
  ref: z.string().nullable(),
  commit: z.string(),
  /** Commits that the remote's branch had more at the last open; null where that is not known. */
  behind: z.number().int().nullable(),
  work: WorkCounts.nullable(),
  createdAt: z.string(),
  lastUsedAt: z.string(),
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
  /** Tasks began or ended: terminals may have come or gone. Several at once count as one. */
  z.object({ kind: z.literal("tasks") }),
  z.object({ kind: z.literal("deleted") }),
]);
export type WorkspaceUpdate = z.infer<typeof WorkspaceUpdate>;

/** What a subscription of a service's log yields. */
export const LogUpdate = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("output"),
    /** In the order in which they were printed; a long line may come in several. */
    pieces: z.array(
      z.object({
        /** The engine's time; null where nobody noted it. */
        at: z.string().nullable(),
        stream: z.enum(["stdout", "stderr"]),
        /** As it was printed: a program's words, with whatever they do to a terminal. */
        text: z.string(),
      }),
    ),
  }),
  /** Here so much is missing: it was not kept long enough for who reads so slowly. */
  z.object({ kind: z.literal("skipped"), bytes: z.number().int() }),
  /** The service has ended, or all that is kept was given. */
  z.object({ kind: z.literal("end") }),
]);
export type LogUpdate = z.infer<typeof LogUpdate>;

/** Work that exists only in the workspace and would be lost by deleting it. */
export const UnsavedWork = z.object({
  /** Lines of `git status --porcelain`. */
  uncommitted: z.array(z.string()),
  /** `<branch>: <short commit> <subject>` of each commit that no remote branch has. */
  unpushed: z.array(z.string()),
  stashes: z.array(z.string()),
});
export type UnsavedWork = z.infer<typeof UnsavedWork>;

/** The person who is signed in. */
export const Me = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(["owner", "member"]),
  profile: z.object({
    /** What git puts into commits; null until the person was asked. */
    commitName: z.string().nullable(),
    commitEmail: z.string().nullable(),
    dotfilesUrl: z.string().nullable(),
  }),
});
export type Me = z.infer<typeof Me>;

/** A browser's session or a token of the command line. */
export const SessionView = z.object({
  id: z.string(),
  kind: z.enum(["session", "token"]),
  name: z.string(),
  createdAt: z.string(),
  /** To the minute; null: never. */
  lastUsedAt: z.string().nullable(),
  expiresAt: z.string(),
  /** The one that asks. */
  current: z.boolean(),
});
export type SessionView = z.infer<typeof SessionView>;

/** A stored credential for a host of repositories or images; the secret itself is never shown again. */
export const CredentialView = z.object({
  id: z.string(),
  host: z.string(),
  username: z.string(),
  createdAt: z.string(),
  lastUsedAt: z.string().nullable(),
});
export type CredentialView = z.infer<typeof CredentialView>;

export const VariableView = z.object({
  id: z.string(),
  name: z.string(),
  /** Of repositories as `host/owner/repo`, with `*` for any text. */
  pattern: z.string(),
  secret: z.boolean(),
  /** Null for a secret. */
  value: z.string().nullable(),
});
export type VariableView = z.infer<typeof VariableView>;

export const PersonView = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(["owner", "member"]),
  createdAt: z.string(),
  workspaces: z.number().int(),
  lastSeenAt: z.string().nullable(),
});
export type PersonView = z.infer<typeof PersonView>;

export const SshKeyView = z.object({
  id: z.string(),
  name: z.string(),
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  fingerprint: z.string(),
  type: z.string(),
  createdAt: z.string(),
});
export type SshKeyView = z.infer<typeof SshKeyView>;

/** A one-time code that signs in by ssh without a key. */
export const SshCodeView = z.object({
  /** As it is typed: letters in groups. */
  code: z.string(),
  expiresAt: z.string(),
});
export type SshCodeView = z.infer<typeof SshCodeView>;

/** A command that a workspace offers. */
export const CommandView = z.object({
  name: z.string(),
  label: z.string().nullable(),
  group: CommandGroup.nullable(),
  /** As a shell would be given it. */
  line: z.string(),
  cwd: z.string().nullable(),
  env: z.record(z.string(), z.string()),
  /** `file:line:column` of what asks for it. */
  where: z.array(z.string()),
});
export type CommandView = z.infer<typeof CommandView>;

export const TerminalView = z.object({
  id: z.string(),
  /** The service in whose container it runs; null: the dev service. */
  service: z.string().nullable(),
  title: z.string(),
  /** The name of the task that it shows; `null` for a shell. */
  task: z.string().nullable(),
  running: z.boolean(),
  exitCode: z.number().int().nullable(),
  /** An ssh session's whose connection broke, and nobody looks at it: `loop attach` does. */
  detached: z.boolean(),
});
export type TerminalView = z.infer<typeof TerminalView>;
