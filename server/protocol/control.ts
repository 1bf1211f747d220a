import { z } from "zod";
import { WireError } from "./errors.ts";

/**
 * The control stream: `GET /control`, `Upgrade: oneloop-stream`, action `control`. The control plane
 * opens it and holds it while the workspace runs; a newer one replaces it. Both directions carry
 * JSON, a message a line. What comes up is a stranger's word: it is checked, bounded, and believed
 * only about the workspace itself.
 */
export const maxControlLineBytes = 64 * 1024;

/** Programs that listen beyond this many are not told of. */
export const maxDetectedPorts = 200;

/** A TCP port on which something in the workspace's network listens. */
export const DetectedPort = z.object({
  port: z.number().int().min(1).max(65535),
  /** The program's name, where it can be seen; it may run in another container of the workspace. */
  process: z.string().max(64).nullable(),
});
export type DetectedPort = z.infer<typeof DetectedPort>;

/** What git says of what it wants (gitcredentials(7)); `host` with `:port` where it names one. */
export const CredentialAsk = z.object({
  kind: z.literal("credential"),
  protocol: z.string().max(16),
  host: z.string().max(300),
  path: z.string().max(2000).nullable(),
});

/** What a program inside the workspace asks for through the supervisor, as the workspace's owner. */
export const WorkspaceAsk = z.discriminatedUnion("kind", [
  CredentialAsk,
  /** → WorkspaceSummary */
  z.object({ kind: z.literal("show") }),
  /** → `{ url }` of a port; `service` null: the dev container's network. */
  z.object({
    kind: z.literal("url"),
    port: z.number().int().min(1).max(65535),
    service: z.string().max(63).nullable(),
  }),
  /** → `{}`; the answer may come too late to be seen. */
  z.object({ kind: z.literal("stop") }),
]);
export type WorkspaceAsk = z.infer<typeof WorkspaceAsk>;

/** Folders that a workspace is asked to watch at a time; a plan's contexts are fewer. */
export const maxWatchedFolders = 64;

/** Paths in one message; what is more comes in the next. */
export const maxToldPaths = 500;

/**
 * A path below a watched folder, as a stranger says it: no way out of the folder. What was a folder
 * and is gone ends with a slash.
 */
export const ToldPath = z.string().min(1).max(2000).refine(isToldPath);

function isToldPath(path: string): boolean {
  const parts = path.replace(/\/$/, "").split("/");
  return !path.includes("\0") && !parts.some((part) => ["", ".", ".."].includes(part));
}

/** What happened in a watched folder. */
export const FilesMessage = z.object({
  type: z.literal("files"),
  /** Of this message: it is told again on the next stream until it is said to be taken. */
  id: z.number().int().min(0),
  /** As it was asked. */
  folder: z.string().max(4096),
  /** Files and links that are new or different. */
  changed: z.array(ToldPath).max(maxToldPaths),
  removed: z.array(ToldPath).max(maxToldPaths),
  /** So much changed that nobody kept what: anything may be different. */
  lost: z.boolean(),
  /** Why it is not watched, or not all of it. */
  unwatched: z.string().max(300).nullable(),
});
export type FilesMessage = z.infer<typeof FilesMessage>;

/** A task began (its terminal is there), ended, or could not start. */
export const TaskMessage = z.object({
  type: z.literal("task"),
  name: z.string().max(200),
  state: z.enum(["running", "done", "failed"]),
  /** Null: it runs, or never began. */
  exitCode: z.number().int().nullable(),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

/** From the supervisor. */
export const ControlMessage = z.discriminatedUnion("type", [
  /** At once after the stream opens, and at each change. */
  z.object({ type: z.literal("ports"), ports: z.array(DetectedPort).max(maxDetectedPorts) }),
  /** Somebody typed, or a command ran: at most once in 30 s. */
  z.object({ type: z.literal("activity") }),
  TaskMessage,
  z.object({ type: z.literal("ask"), id: z.string().min(1).max(32), ask: WorkspaceAsk }),
  FilesMessage,
]);
export type ControlMessage = z.infer<typeof ControlMessage>;

/** To the supervisor: the answer to an ask. */
export const ControlAnswer = z.discriminatedUnion("ok", [
  z.object({ type: z.literal("answer"), id: z.string(), ok: z.literal(true), result: z.unknown() }),
  z.object({ type: z.literal("answer"), id: z.string(), ok: z.literal(false), error: WireError }),
]);
export type ControlAnswer = z.infer<typeof ControlAnswer>;

/** A folder to watch, with all in it. */
export const WatchedFolder = z.object({
  /** Absolute, in the dev container. */
  path: z.string(),
  /** Sources of regular expressions: of what one matches, below the folder, nothing is told. */
  skip: z.array(z.string()),
});
export type WatchedFolder = z.infer<typeof WatchedFolder>;

/** To the supervisor, unasked. One that does not know them passes them over. */
export const ControlOrder = z.discriminatedUnion("type", [
  /** In the place of what was said before. What is watched already is watched on. */
  z.object({ type: z.literal("watch"), folders: z.array(WatchedFolder).max(maxWatchedFolders) }),
  /** The `files` message of this id was taken: the next may come. */
  z.object({ type: z.literal("taken"), id: z.number().int() }),
]);
export type ControlOrder = z.infer<typeof ControlOrder>;

/** The result of a `credential` ask; null where the owner has stored none for this remote. */
export const CredentialAnswer = z.object({ username: z.string(), password: z.string() }).nullable();
export type CredentialAnswer = z.infer<typeof CredentialAnswer>;
