import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Installation, root } from "../helpers/installation.ts";
import { median, quantile } from "./measure.ts";

/** What a person takes for at once, on a machine where Node itself takes a third of it. */
const goalMs = 150;
const rounds = 25;

/**
 * `npm run bench -- cli`: from the start of `loop` to its end, beside Node that does nothing, in
 * turns. Without NODE_EXTRA_CA_CERTS: Node 20 reads that bundle at each start, whatever is run.
 */
export async function bench(): Promise<void> {
  await using installation = await Installation.start({ env: { ONELOOP_LOG_LEVEL: "warn" } });
  const { NODE_EXTRA_CA_CERTS: _, ...env } = installation.env;
  const loop = join(root, "cli/bin/loop.js");
  await installation.loop("login", "--local");
  const commands = [["--version"], ["--help"], ["list"]];
  const samples = commands.map((): number[] => []);
  const node: number[] = [];
  // The first of each reads the files from the disk.
  for (const args of commands) await timed([loop, ...args], env);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, args] of commands.entries()) {
      samples[index]?.push(await timed([loop, ...args], env));
    }
    node.push(await timed(["-e", "0"], env));
  }
  const nodeAlone = { median: Math.round(median(node)), p95: Math.round(quantile(node, 0.95)) };
  const summaries = commands.map((args, index) => {
    const own = samples[index] ?? [];
    return {
      what: `loop ${args.join(" ")}`,
      unit: "ms",
      rounds: own.length,
      median: Math.round(median(own)),
      p95: Math.round(quantile(own, 0.95)),
      nodeAlone,
      ratio: Number((median(own) / median(node)).toFixed(2)),
      goal: `≤ ${goalMs}`,
      met: median(own) <= goalMs,
    };
  });
  for (const { what, median, p95, ratio, met } of summaries) {
    console.log(
      `${what.padEnd(14)} ${median} / ${p95} ms (median / p95); node -e 0 ${nodeAlone.median} / ${nodeAlone.p95} ms; ratio ${ratio}; goal ≤ ${goalMs} ms ${met ? "met" : "MISSED"}`,
    );
  }
  console.log(JSON.stringify(summaries));
}

/** In ms, from the spawn to the end. */
async function timed(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.resume();
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}`);
  return performance.now() - began;
}
