/** One measured quantity: the samples of each round, in the unit that its name says. */
export interface Series {
  readonly name: string;
  readonly unit: "ms" | "MB/s";
  readonly samples: number[];
}

/** Ours beside the peer's, measured in turns. */
export interface Comparison {
  readonly what: string;
  readonly ours: Series;
  readonly peer: Series;
  /** For times: ours / peer at most; for rates: ours / peer at least. */
  readonly goal: { readonly atMost: number } | { readonly atLeast: number };
}

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

export interface Summary {
  readonly what: string;
  readonly unit: string;
  readonly rounds: number;
  readonly ours: { readonly median: number; readonly p95: number };
  readonly peer: { readonly name: string; readonly median: number; readonly p95: number };
  /** Of the medians. */
  readonly ratio: number;
  readonly goal: string;
  readonly met: boolean;
}

/** For a rate the slow end is its 5th percentile: it stands where p95 stands for a time. */
export function summarize({ what, ours, peer, goal }: Comparison): Summary {
  const slowEnd = ours.unit === "ms" ? 0.95 : 0.05;
  const ratio = median(ours.samples) / median(peer.samples);
  return {
    what,
    unit: ours.unit,
    rounds: ours.samples.length,
    ours: { median: median(ours.samples), p95: quantile(ours.samples, slowEnd) },
    peer: {
      name: peer.name,
      median: median(peer.samples),
      p95: quantile(peer.samples, slowEnd),
    },
    ratio,
    goal: "atMost" in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`,
    met: "atMost" in goal ? ratio <= goal.atMost : ratio >= goal.atLeast,
  };
}

/** A table for people, then the same as JSON for programs, on standard output. */
export function report(summaries: readonly Summary[]): void {
  const rows = summaries.map(({ what, unit, rounds, ours, peer, ratio, goal, met }) => [
    what,
    `${ours.median.toFixed(1)} / ${ours.p95.toFixed(1)} ${unit}`,
    `${peer.median.toFixed(1)} / ${peer.p95.toFixed(1)} ${unit} (${peer.name})`,
    ratio.toFixed(2),
    `${goal} ${met ? "met" : "MISSED"}`,
    String(rounds),
  ]);
  const head = ["what", "Oneloop median / p95", "peer median / p95", "ratio", "goal", "rounds"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [head, widths.map((width) => "-".repeat(width)), ...rows]) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  }
  console.log(JSON.stringify(summaries));
}
