/**
 * What the control plane passes on can come from a repository or a program: without its control
 * characters it cannot steer the terminal (ECMA-48), and without the marks of direction it reads as
 * it is.
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

/** As people say it: `180 ms`, `1.2 s`, `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Columns as wide as their widest cell, two spaces apart; the head in capitals. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head.map((cell) => cell.toUpperCase()), ...rows.map((row) => row.map(clean))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Lines of `name  value`; those without a value are left out. */
export function pairs(entries: readonly (readonly [string, string | null])[]): string[] {
  const shown = entries.filter((entry): entry is readonly [string, string] => entry[1] !== null);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${clean(value)}`);
}

/** A word of a shell command that is shown to be copied. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
