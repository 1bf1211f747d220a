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

/**
 * What is printed can come from a repository or a program: without its control characters it cannot
 * steer the terminal (ECMA-48), and without the marks of direction it reads as it is.
 */
export function clean(text: string): string {
  return (
    text
      // CSI sequences and OSC strings whole, so that their parameters do not stay behind as litter.
      // eslint-disable-next-line no-control-regex
      .replaceAll(/\u001B\[[0-?]*[ -/]*[@-~]|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)/g, "")
      .replaceAll(/[\r\n\t]+/g, " ")
      .replaceAll(/[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, "")
  );
}

/** JSON whose strings cannot steer a terminal either, and mean the same to a program. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
