import { clean } from "../../server/protocol/text.ts";
import { table } from "./text.ts";

/** SGR codes of the terminal's own palette (ECMA-48 8.3.117): readable on light and dark. */
const colours = {
  ...{ red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 },
  ...{ dim: 2, bold: 1 },
} as const;
export type Colour = keyof typeof colours;

export interface Look {
  /** Columns to fit into; null: as wide as it gets, for a pipe. */
  readonly width: number | null;
  readonly coloured: boolean;
}

export function paint(text: string, colour: Colour | null, { coloured }: Look): string {
  if (!coloured || colour === null) return text;
  return `\u001B[${colours[colour]}m${text}\u001B[0m`;
}

/** Below this a shortened cell says nothing any more. */
const leastCell = 8;
/** What `table` puts between two columns. */
const gap = 2;

export interface ColumnsOptions {
  readonly look: Look;
  /** Columns that are copied from, such as names and addresses: never shortened. */
  readonly whole?: readonly string[];
  /** The colour of one column's cells, by what is in them. */
  readonly colourOf?: { readonly column: string; readonly of: (cell: string) => Colour | null };
}

/**
 * A table that fits the terminal: the widest columns are shortened in the middle until it does. A
 * pipe gets every cell whole.
 */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { look, whole = [], colourOf }: ColumnsOptions,
): string[] {
  // Before anything is measured: what `table` would take out has no width.
  const cells = rows.map((row) => row.map(clean));
  const widths = look.width === null ? [] : fitWidths({ head, cells, whole }, look.width);
  const fitted = cells.map((row) =>
    row.map((cell, column) => shorten(cell, widths[column] ?? Number.POSITIVE_INFINITY)),
  );
  const [title = "", ...lines] = table(head, fitted);
  const at = colourOf === undefined ? -1 : head.indexOf(colourOf.column);
  if (!look.coloured || colourOf === undefined || at === -1) return [title, ...lines];
  const start = startOf(title, head, at);
  return [
    paint(title, "dim", look),
    ...lines.map((line, index) => {
      const cell = fitted[index]?.[at] ?? "";
      const painted = paint(cell, colourOf.of(cell), look);
      return line.slice(0, start) + painted + line.slice(start + cell.length);
    }),
  ];
}

interface Unfitted {
  readonly head: readonly string[];
  readonly cells: readonly (readonly string[])[];
  readonly whole: readonly string[];
}

function fitWidths({ head, cells, whole }: Unfitted, width: number): number[] {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => (row[column] ?? "").length)),
  );
  const least = head.map((name, column) =>
    whole.includes(name) ? (widths[column] ?? 0) : Math.max(name.length, leastCell),
  );
  const total = (): number => widths.reduce((sum, one) => sum + one + gap, -gap);
  while (total() > width) {
    const spare = widths.map((one, column) => (one > (least[column] ?? 0) ? one : 0));
    const widest = Math.max(...spare);
    if (widest === 0) break;
    widths[spare.indexOf(widest)] = widest - 1;
  }
  return widths;
}

/** Where a column begins: titles may be the beginning of others, so they are found in order. */
function startOf(title: string, head: readonly string[], column: number): number {
  let start = 0;
  for (const name of head.slice(0, column + 1)) {
    const found = title.indexOf(name.toUpperCase(), start);
    if (name === head[column]) return found;
    start = found + name.length;
  }
  return start;
}

/** The beginning and the end say more than the middle of names, addresses and paths. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - end)}…${end === 0 ? "" : text.slice(-end)}`;
}

/** A sentence in lines that fit the terminal, broken at its blanks; one line for a pipe. */
export function wrap(text: string, width: number | null, indent: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    const fits = last !== undefined && (width === null || last.length + 1 + word.length <= width);
    if (fits) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(indent + word);
  }
  return lines;
}

/** Of a workspace's or a service's state. */
export function stateColour(state: string): Colour | null {
  switch (state) {
    case "running":
    case "completed":
      return "green";
    case "starting":
    case "stopping":
    case "deleting":
    case "created":
    case "waiting":
    case "building":
    case "pulling":
    case "backing-off":
    case "unknown":
      return "yellow";
    case "failed":
    case "missing":
    case "exited":
      return "red";
    default:
      return null;
  }
}
