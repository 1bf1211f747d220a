import { clean, columns } from "../../server/protocol/text.ts";

/** As people say it: `180 ms`, `1.2 s`, `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Columns with a head in capitals; the cells are cleaned. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return columns([head.map((cell) => cell.toUpperCase()), ...rows.map((row) => row.map(clean))]);
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
