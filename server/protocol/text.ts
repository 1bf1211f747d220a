/**
 * What is printed can come from a repository or a program: without its control characters it cannot
 * steer the terminal (ECMA-48), and without the marks of direction it reads as it is.
 */
export function clean(text: string): string {
  return (
    text
      // CSI sequences and OSC strings whole, so that their parameters do not stay behind as litter.
      // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
      .replaceAll(/\u001B\[[0-?]*[ -/]*[@-~]|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)/g, "")
      .replaceAll(/[\r\n\t]+/g, " ")
      .replaceAll(/[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, "")
  );
}

/**
 * JSON text with the controls escaped that JSON itself leaves as they are: C1 (U+009B begins a
 * sequence in some terminals), DEL, and the marks of direction. It says the same to a program.
 */
export function escapeControls(json: string): string {
  return json.replaceAll(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Columns as wide as their widest cell, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
