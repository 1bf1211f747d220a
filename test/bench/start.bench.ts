import { spawn } from "node:child_process";
import { once } from "node:events";
import { Installation, root } from "../helpers/installation.ts";
import { median, quantile } from "./measure.ts";

/** A second `npm start`, with everything unchanged, is ready within this. */
const goalMs = 3000;

/** `npm run bench -- start`: from `npm start` to the printed link, beside npm's own floor. */
export async function bench(): Promise<void> {
  await using installation = await Installation.start({ env: { ONELOOP_LOG_LEVEL: "warn" } });
  await installation.stop();
  const starts: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    starts.push(await timed(["start"], installation.env, /sign-in#/));
    floors.push(await timed(["run", "env"], installation.env, /PATH=/));
  }
  const summary = {
    what: "a second npm start, to its sign-in link",
    unit: "ms",
    rounds: starts.length,
    median: Math.round(median(starts)),
    p95: Math.round(quantile(starts, 0.95)),
    npmAlone: { median: Math.round(median(floors)), p95: Math.round(quantile(floors, 0.95)) },
    goal: `≤ ${goalMs}`,
    met: median(starts) <= goalMs,
  };
  console.log(
    `${summary.what}: ${summary.median} / ${summary.p95} ms (median / p95); npm alone ${summary.npmAlone.median} ms; goal ${summary.goal} ms ${summary.met ? "met" : "MISSED"}`,
  );
  console.log(JSON.stringify([summary]));
}

/** In ms, from the spawn to the first output that fits; then the program is asked to end. */
async function timed(args: string[], env: NodeJS.ProcessEnv, until: RegExp): Promise<number> {
  const began = performance.now();
  const child = spawn("npm", args, { cwd: root, env, stdio: ["ignore", "pipe", "ignore"] });
  const closed = once(child, "close");
  let printed = "";
  const took = await new Promise<number>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      printed += chunk;
      if (until.test(printed)) resolve(performance.now() - began);
    });
    child.once("close", () => reject(new Error(`ended early:\n${printed}`)));
  });
  child.kill("SIGTERM");
  await closed;
  return took;
}
