import { z } from "zod";
import { Place } from "./fact.ts";

/** What a difference does: production's behaviour breaks, differs, or is merely written otherwise. */
export const DriftClass = z.enum(["breaking", "behavioural", "info", "unknown"]);
export type DriftClass = z.infer<typeof DriftClass>;

/** What one side says. Secret values are never in it. */
export const DriftSide = z.object({
  /** As a person reads it; null: this side says nothing of it. */
  value: z.string().nullable(),
  /** Null where nothing of this side stands for it. */
  where: Place.nullable(),
});
export type DriftSide = z.infer<typeof DriftSide>;

/** Another place where the same cause shows. */
export const DriftEffect = z.object({ what: z.string(), a: DriftSide, b: DriftSide });
export type DriftEffect = z.infer<typeof DriftEffect>;

/** The word of whoever accepts a difference, from `.oneloop/drift.lock`. */
export const DriftAcknowledgement = z.object({
  reason: z.string(),
  owner: z.string(),
  /** `2027-01-31`: from the day after, the finding counts again. */
  expires: z.string(),
  expired: z.boolean(),
  where: Place,
});
export type DriftAcknowledgement = z.infer<typeof DriftAcknowledgement>;

export const DriftFinding = z.object({
  /** `code:service` or `code:service:subject`; the same for the same difference in every run. */
  id: z.string(),
  /** Stable and kebab-case, such as `memory-limit`. */
  code: z.string(),
  class: DriftClass,
  /** The service's name, the shorter of both sides' names. */
  service: z.string(),
  /** The variable, path, port or container that it is about; null: the service. */
  subject: z.string().nullable(),
  what: z.string(),
  a: DriftSide,
  b: DriftSide,
  /** Why it matters, in a sentence. */
  why: z.string(),
  /** What to write into `.oneloop/drift.lock` to accept it. */
  acknowledge: z.string(),
  /** Where else the same cause shows. */
  also: z.array(DriftEffect),
  acknowledged: DriftAcknowledgement.nullable(),
});
export type DriftFinding = z.infer<typeof DriftFinding>;

/** Some lines of a file that a finding names. Secret values are never in them. */
export const DriftExcerpt = z.object({
  file: z.string(),
  /** The number of the first line, 1-based. */
  from: z.number().int().positive(),
  lines: z.array(z.string()),
  /** How many lines the file has. */
  total: z.number().int().nonnegative(),
});
export type DriftExcerpt = z.infer<typeof DriftExcerpt>;

/** The result of comparing two sources: what `loop drift --format json` prints. */
export const DriftReport = z.object({
  version: z.literal(1),
  /** How the two sides are called, such as their files. */
  a: z.string(),
  b: z.string(),
  /** Breaking findings that nobody has acknowledged: the headline. */
  unacknowledgedBreaking: z.number().int().nonnegative(),
  /** Facts that both sides say, and how many of them are the same. */
  comparable: z.number().int().nonnegative(),
  equal: z.number().int().nonnegative(),
  findings: z.array(DriftFinding),
  /** Entries of the lock that no finding has any more. */
  unusedAcknowledgements: z.array(z.object({ id: z.string(), where: Place })),
});
export type DriftReport = z.infer<typeof DriftReport>;

/** A report with the lines that its findings name. */
export const DriftPage = z.object({ report: DriftReport, excerpts: z.array(DriftExcerpt) });
export type DriftPage = z.infer<typeof DriftPage>;
