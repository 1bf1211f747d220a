import { z } from "zod";
import { Fact, Place } from "./fact.ts";
import { SourceService } from "./service.ts";

export const SourceVolume = z.object({
  name: Fact(z.string()),
  sizeBytes: Fact(z.number().int().positive().nullable()),
  /** Emptied at each start of the workspace. */
  ephemeral: Fact(z.boolean()),
});
export type SourceVolume = z.infer<typeof SourceVolume>;

/** A part of a file that was read and is not run: named, with its line, never dropped silently. */
export const LeftOut = z.object({ what: z.string(), why: z.string(), where: Place });
export type LeftOut = z.infer<typeof LeftOut>;

/** What a file or an engine says. Every format is a reader into this. */
export const SourceModel = z.object({
  /** The format that was read, such as `devfile`. */
  format: z.string(),
  name: Fact(z.string()),
  services: z.array(SourceService),
  volumes: z.array(SourceVolume),
  leftOut: z.array(LeftOut),
});
export type SourceModel = z.infer<typeof SourceModel>;
