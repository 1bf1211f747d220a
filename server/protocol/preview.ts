import { z } from "zod";
import { WorkspacePlan } from "./plan.ts";

/** Where what runs comes from. */
export const ConfigurationView = z.object({
  /** `given`: a text in the place of the repository's; `found`: the repository has none. */
  kind: z.enum(["devfile", "given", "found"]),
  /** In the repository; where the text stands nowhere, the name that it would have. */
  path: z.string(),
  text: z.string(),
  /** Of a found one: what was found where, such as `Node.js (package.json)`. */
  summary: z.array(z.string()),
});
export type ConfigurationView = z.infer<typeof ConfigurationView>;

export const PreviewPart = z.object({
  kind: z.enum(["service", "port", "volume", "task", "command", "project"]),
  name: z.string(),
  /** What it is, in a line. */
  says: z.string(),
  /** `file:line:column` of what asks for it. */
  where: z.array(z.string()),
});
export type PreviewPart = z.infer<typeof PreviewPart>;

/** What an open would run, and why; nothing of it is started. */
export const Preview = z.object({
  /** Null for a folder. */
  repository: z.string().nullable(),
  ref: z.string().nullable(),
  commit: z.string().nullable(),
  configuration: ConfigurationView,
  /** The paths of the configurations that compete; empty where there is one. */
  choices: z.array(z.string()),
  /** The person has said which of them counts. */
  chosen: z.boolean(),
  /**
   * Files and folders that look as if they say how production runs, and could be mirrored; empty
   * where one is.
   */
  offered: z.array(z.string()),
  /** The name of the workspace that an open would return. */
  existing: z.string().nullable(),
  parts: z.array(PreviewPart),
  leftOut: z.array(z.object({ what: z.string(), why: z.string(), where: z.string() })),
  plan: WorkspacePlan,
});
export type Preview = z.infer<typeof Preview>;

/** A larger file of a folder is not sent: its text would be no configuration. */
export const maxSentLength = 512 * 1024;

/** The files of a folder that a preview of it needs; see `server/sources/detect`. */
export const FolderFiles = z.object({
  name: z.string().min(1).max(200),
  /** Relative to the folder, with `/` between. */
  paths: z.array(z.string().min(1).max(500)).max(5000),
  texts: z.record(z.string().max(500), z.string().max(maxSentLength)),
  /** Of those that are too large to be sent, the size in bytes. */
  tooLarge: z.record(z.string().max(500), z.number().int().min(0)).optional(),
});
export type FolderFiles = z.infer<typeof FolderFiles>;
