import { clean, escapeControls } from "../../server/protocol/text.ts";

/** An object's fields; none where there is no object. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

/** A string or a number as text without what could steer a terminal; `null` for all else. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" ? clean(String(value)) : null;
}

/** JSON whose strings cannot steer a terminal either, and mean the same to a program. */
export function safeJson(value: unknown): string {
  return escapeControls(JSON.stringify(value, null, 2));
}
