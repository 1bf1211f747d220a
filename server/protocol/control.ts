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

/** From the supervisor. */
export const ControlMessage = z.discriminatedUnion("type", [
  /** At once after the stream opens, and at each change. */
  z.object({ type: z.literal("ports"), ports: z.array(DetectedPort).max(maxDetectedPorts) }),
  /** Somebody typed, or a command ran: at most once in 30 s. */
  z.object({ type: z.literal("activity") }),
  /** A task ended, or could not start. */
  z.object({
    type: z.literal("task"),
    name: z.string().max(200),
    state: z.enum(["done", "failed"]),
    exitCode: z.number().int().nullable(),
  }),
  z.object({ type: z.literal("ask"), id: z.string().min(1).max(32), ask: WorkspaceAsk }),
]);
export type ControlMessage = z.infer<typeof ControlMessage>;

/** To the supervisor: the answer to an ask. */
export const ControlAnswer = z.discriminatedUnion("ok", [
  z.object({ type: z.literal("answer"), id: z.string(), ok: z.literal(true), result: z.unknown() }),
  z.object({ type: z.literal("answer"), id: z.string(), ok: z.literal(false), error: WireError }),
]);
export type ControlAnswer = z.infer<typeof ControlAnswer>;

/** The result of a `credential` ask; null where the owner has stored none for this remote. */
export const CredentialAnswer = z.object({ username: z.string(), password: z.string() }).nullable();
export type CredentialAnswer = z.infer<typeof CredentialAnswer>;
