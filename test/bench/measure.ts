/** One measured quantity: the samples of each round, in the unit that its name says. */
export interface Series {
  readonly name: string;
  readonly unit: "ms" | "MB/s" | "KiB";
  readonly samples: number[];
}

/** Ours beside the peer's, measured in turns. */
export interface Comparison {
  readonly what: string;
  readonly ours: Series;
  readonly peer: Series;
  readonly goal: Goal;
  /** Which of the samples are compared, 0 to 1; the medians when not given. */
  readonly quantile?: number;
}

/**
 * For times: ours / peer at most; for rates: ours / peer at least. `towards` is where the work goes
 * on to while it pays. `below`: our own figure, whatever the peer's is.
 */
export type Goal =
  | { readonly atMost: number; readonly towards?: number }
  | { readonly atLeast: number; readonly towards?: number }
  | { readonly below: number };

/** @param quantile 0 to 1; nearest rank. */
export function quantile(samples: readonly number[], quantile: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

interface Figures {
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
}

export interface Summary {
  readonly what: string;
  readonly unit: string;
  readonly rounds: number;
  readonly ours: Figures;
  readonly peer: Figures & { readonly name: string };
  /** Of the medians, or of the quantile that is compared. */
  readonly ratio: number;
  readonly goal: string;
  readonly met: boolean;
}

export function summarize({ what, ours, peer, goal, quantile: at }: Comparison): Summary {
  const compared = ({ samples }: Series): number =>
    at === undefined ? median(samples) : quantile(samples, at);
  const ratio = compared(ours) / compared(peer);
  return {
    what,
    unit: ours.unit,
    rounds: ours.samples.length,
    ours: figures(ours),
    peer: { name: peer.name, ...figures(peer) },
    ratio,
    ...judge(goal, { ratio, own: compared(ours) }),
  };
}

/** For a rate the slow end is its 5th percentile: it stands where p95 stands for a time. */
function figures({ samples, unit }: Series): Figures {
  const slow = (end: number): number => quantile(samples, unit === "MB/s" ? 1 - end : end);
  return { median: median(samples), p95: slow(0.95), p99: slow(0.99) };
}

function judge(
  goal: Goal,
  { ratio, own }: { ratio: number; own: number },
): { goal: string; met: boolean } {
  if ("below" in goal) return { goal: `own ≤ ${goal.below}`, met: own <= goal.below };
  const towards = goal.towards === undefined ? "" : ` (towards ${goal.towards})`;
  return "atMost" in goal
    ? { goal: `≤ ${goal.atMost}${towards}`, met: ratio <= goal.atMost }
    : { goal: `≥ ${goal.atLeast}${towards}`, met: ratio >= goal.atLeast };
}

/** A table for people, then the same as JSON for programs, on standard output. */
export function report(summaries: readonly Summary[]): void {
  const rows = summaries.map(({ what, unit, rounds, ours, peer, ratio, goal, met }) => [
    what,
    `${ours.median.toFixed(1)} / ${ours.p95.toFixed(1)} / ${ours.p99.toFixed(1)} ${unit}`,
    `${peer.median.toFixed(1)} / ${peer.p95.toFixed(1)} / ${peer.p99.toFixed(1)} ${unit} (${peer.name})`,
    ratio.toFixed(2),
    `${goal} ${met ? "met" : "MISSED"}`,
    String(rounds),
  ]);
  const head = [
    "what",
    "Oneloop p50 / p95 / p99",
    "peer p50 / p95 / p99",
    "ratio",
    "goal",
    "rounds",
  ];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [head, widths.map((width) => "-".repeat(width)), ...rows]) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  }
  console.log(JSON.stringify(summaries));
}
