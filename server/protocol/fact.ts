import { z } from "zod";

/** Where a fact stands: a place in a file, or an object of an engine. */
export const Place = z.union([
  z.object({
    file: z.string(),
    /** 1-based. */
    line: z.number().int().positive(),
    /** 1-based, in UTF-16 code units. */
    column: z.number().int().positive(),
  }),
  z.object({ engine: z.string(), object: z.string() }),
]);
export type Place = z.infer<typeof Place>;

/** A value with its source, or the reason why it is not known. */
export function Fact<Value extends z.ZodType>(value: Value) {
  return z.discriminatedUnion("known", [
    z.object({ known: z.literal(true), value, where: Place }),
    z.object({ known: z.literal(false), why: z.string(), where: Place }),
  ]);
}
export type Fact<Value> =
  | { known: true; value: Value; where: Place }
  | { known: false; why: string; where: Place };

export function known<Value>(value: Value, where: Place): Fact<Value> {
  return { known: true, value, where };
}

export function unknown<Value>(why: string, where: Place): Fact<Value> {
  return { known: false, why, where };
}

/** `file:line:column`, or `engine:object`. */
export function formatPlace(place: Place): string {
  return "file" in place
    ? `${place.file}:${place.line}:${place.column}`
    : `${place.engine}:${place.object}`;
}
