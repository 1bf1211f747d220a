import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { compare } from "../../server/drift/compare.ts";
import { readCompose } from "../../server/sources/compose/read.ts";
import { readKubernetes } from "../../server/sources/kubernetes/read.ts";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { startGitServer } from "../helpers/git-server.ts";
import { Installation, root, run } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { BenchClient } from "./client.ts";
import { median, quantile, report, summarize, type Comparison, type Series } from "./measure.ts";
import { modelOf, pairOf, readAndCompare } from "./mirror-pair.ts";

const image = "oneloop/workspace:latest";
/** As many as the larger of the pairs that people compare. */
const usualServices = 10;
const manyServices = 1000;
const startedServices = 10;

/** `npm run bench -- mirror [--rounds N] [--only reading]` */
export async function bench(args: readonly string[]): Promise<void> {
  const at = args.indexOf("--rounds");
  const rounds = at === -1 ? 10 : Number(args[at + 1]);
  const reading = [
    timed(`reading and comparing ${usualServices} services a side`, 150, () => {
      readAndCompare(usual);
    }),
    ...(await ofReference()),
    await ofMany(),
  ];
  const starting = args.includes("reading") ? [] : await ofStarts(rounds);
  report(starting.map(summarize));
  console.log(JSON.stringify(reading));
}

const usual = pairOf(usualServices);

interface Reading {
  readonly what: string;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly goal: string;
  readonly met: boolean;
}

function timed(what: string, goalMs: number, work: () => void): Reading {
  const samples: number[] = [];
  // The first is as a command does it: nothing is compiled yet.
  for (let round = 0; round < 21; round += 1) {
    const began = performance.now();
    work();
    samples.push(performance.now() - began);
  }
  const [cold = 0, ...warm] = samples;
  const medianMs = Number(median(warm).toFixed(1));
  const p95Ms = Number(quantile(warm, 0.95).toFixed(1));
  const met = medianMs <= goalMs;
  const goal = `≤ ${goalMs} ms`;
  console.log(
    `${what}: ${medianMs} / ${p95Ms} ms (median / p95), ${cold.toFixed(1)} ms cold; goal ${goal} ${met ? "met" : "MISSED"}`,
  );
  return { what, medianMs, p95Ms, goal, met };
}

/** The largest pair of the reference data, where that lies beside the checkout. */
async function ofReference(): Promise<Reading[]> {
  const folder = join(root, "..", "shared/fixtures/drift-pairs/voting-app");
  if (!existsSync(folder)) {
    console.log("SKIPPED: the reference pairs are not beside this checkout");
    return [];
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    paths.map(async (path) => ({ path, text: await readFile(path, "utf8") })),
  );
  const composed = texts.find(({ path }) => path.endsWith("docker-compose.yml"));
  const objects = texts.filter(({ text }) => /^apiVersion:/m.test(text));
  return [
    timed("reading and comparing the largest reference pair", 150, () => {
      const read = (path: string) => (path === composed?.path ? composed.text : null);
      const a = modelOf(readCompose([composed?.path ?? ""], { read }));
      compare(a, modelOf(readKubernetes(objects)));
    }),
  ];
}

async function ofMany(): Promise<Reading> {
  const program = fileURLToPath(new URL("mirror-large.js", import.meta.url));
  const samples: { ms: number; peakKiB: number }[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { exitCode, stdout, stderr } = await run(process.execPath, [
      program,
      String(manyServices),
    ]);
    if (exitCode !== 0) throw new Error(stderr);
    samples.push(JSON.parse(stdout) as { ms: number; peakKiB: number });
  }
  const times = samples.map(({ ms }) => ms);
  const medianMs = Number(median(times).toFixed(0));
  const peakMb = (Math.max(...samples.map(({ peakKiB }) => peakKiB)) * 1024) / 1_000_000;
  const met = medianMs <= 2000 && peakMb <= 300;
  const goal = "≤ 2,000 ms and ≤ 300 MB";
  const what = "reading and comparing 1,000 services a side";
  console.log(
    `${what}: ${medianMs} ms, ${peakMb.toFixed(0)} MB; goal ${goal} ${met ? "met" : "MISSED"}`,
  );
  return { what, medianMs, p95Ms: Number(quantile(times, 0.95).toFixed(0)), goal, met };
}

/** Ten services that are called as no other round's are. */
function composeFile(round: string): string {
  const services = Array.from(
    { length: startedServices },
    (_, at) => `  ${round}s${at}:\n    image: ${image}\n    command: ["sleep", "infinity"]\n`,
  );
  return `services:\n${services.join("")}`;
}

/**
 * Ten ready images, from the request until all of them are started, in turns with docker-compose: the
 * first mirror that a control plane opens, one of services that no other round has, and one that was
 * opened just before. Between the rounds the pool is filled, as between two opens of a person, and
 * nothing of that falls on docker-compose.
 */
async function ofStarts(rounds: number): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-bench-"));
  const address = machineAddress();
  const port = await freePort();
  await using server = await startGitServer({ root: folder, host: address, port });
  const env = {
    ONELOOP_ALLOW_NET: `${address}:${port}`,
    ONELOOP_LOG_LEVEL: "warn",
    // As it is by default, which is not so in tests.
    ONELOOP_SPARE_SANDBOXES: String(usualSpares),
  };
  const timeRound = async (
    { installation, client }: { installation: Installation; client: BenchClient },
    name: string,
  ): Promise<[number, number]> => {
    if (!existsSync(join(folder, name))) await makeRepository(folder, name);
    const took = await timeOpen(client, server.url(`${name}.git`));
    await untilPrepared(installation.id, name);
    const composeTook = await timeCompose(join(folder, name, "compose.yaml"));
    console.log(`${took.toFixed(0)} ms, docker-compose ${composeTook.toFixed(0)} ms`);
    return [took, composeTook];
  };
  try {
    const first = comparison("10 ready images, the first mirror that is opened");
    for (let round = 0; round < Math.min(rounds, 5); round += 1) {
      await using installation = await Installation.start({ env });
      const client = await BenchClient.signIn(installation);
      await untilPrepared(installation.id, null);
      first.add(await timeRound({ installation, client }, `first${round}`));
    }
    await using installation = await Installation.start({ env });
    const client = await BenchClient.signIn(installation);
    const other = comparison("10 ready images, another mirror than before");
    const again = comparison("10 ready images, the mirror of before");
    await timeRound({ installation, client }, "warm");
    for (let round = 0; round < rounds; round += 1) {
      other.add(await timeRound({ installation, client }, `other${round}`));
    }
    for (let round = 0; round < rounds; round += 1) {
      again.add(await timeRound({ installation, client }, `other${rounds - 1}`));
    }
    return [first, other, again];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function comparison(what: string): Comparison & { add: (took: [number, number]) => void } {
  const ours: Series = { name: "Oneloop", unit: "ms", samples: [] };
  const peer: Series = { name: "docker-compose up", unit: "ms", samples: [] };
  const add = ([took, peerTook]: [number, number]): void => {
    ours.samples.push(took);
    peer.samples.push(peerTook);
  };
  return { what, ours, peer, goal: { atMost: 1.3 }, add };
}

/** In milliseconds; the workspace is deleted afterwards. */
async function timeOpen(client: BenchClient, contextUrl: string): Promise<number> {
  const began = performance.now();
  const { workspace } = await client.api.workspaces.open.mutate({
    contextUrl,
    mirror: "compose.yaml",
  });
  await untilAllStarted(client, workspace.id);
  const took = performance.now() - began;
  await client.delete(workspace.id);
  return took;
}

async function timeCompose(file: string): Promise<number> {
  const project = ["-p", `oneloop-bench-${process.pid}`, "-f", file];
  const began = performance.now();
  const up = await run("docker-compose", [...project, "up", "-d"]);
  const took = performance.now() - began;
  if (up.exitCode !== 0) throw new Error(up.stderr);
  await run("docker-compose", [...project, "down", "-t", "0"]);
  return took;
}

/** Sandboxes that wait: those of two workspaces, of a third, and of the services of a mirror. */
function preparedSandboxes(services: number): number {
  return 2 + 1 + services;
}
/** As many as ONELOOP_SPARE_SANDBOXES says by default. */
const usualSpares = 6;

/**
 * Resolves when all that is made ahead runs, for the mirror of this round, or before any; rejects after
 * five minutes.
 */
async function untilPrepared(installation: string, round: string | null): Promise<void> {
  const label = [`oneloop.installation=${installation}`];
  const filters = { label, status: ["running"] };
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    const running = await docker.listContainers({ filters });
    const ofCache = running.filter(({ Labels }) => Labels["oneloop.part"] === "cache");
    const ahead = running.filter((one) => !ofCache.includes(one));
    const sandboxes = ahead.flatMap(({ Names }) =>
      Names.filter((name) => name.endsWith("_sandbox")),
    );
    const ofRound = sandboxes.filter((name) => name.includes(`-${round ?? "spare-"}`));
    const services = round === null ? usualSpares : startedServices;
    const isReady =
      ofRound.length === services &&
      sandboxes.length === preparedSandboxes(services + (round === null ? 0 : usualSpares)) &&
      // Each has a job's container that waits, too.
      ahead.length === sandboxes.length + 3;
    if (isReady) return;
    await delay(100);
  }
  throw new Error("nothing was made ahead in five minutes");
}

function untilAllStarted(client: BenchClient, workspace: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const watching = client.api.workspaces.watch.subscribe(
      { workspace },
      {
        onData: ({ data }) => {
          if (data.kind !== "state") return;
          const { state, services, error } = data.workspace;
          if (state === "failed") reject(new Error(error?.message ?? "failed"));
          const failed = services.find((one) => one.state === "failed");
          if (failed !== undefined) reject(new Error(`${failed.name}: ${failed.reason}`));
          const started = services.filter((one) => one.mirrored && one.state === "running");
          if (state !== "running" || started.length < startedServices) return;
          watching.unsubscribe();
          resolve();
        },
        onError: reject,
      },
    );
  });
}

async function makeRepository(folder: string, name: string): Promise<void> {
  const tree = join(folder, name);
  await mkdir(tree);
  const devfile = `schemaVersion: 2.2.2
metadata: { name: ${name} }
components:
  - name: dev
    container: { image: ${image} }
`;
  await writeFile(join(tree, "devfile.yaml"), devfile);
  await writeFile(join(tree, "compose.yaml"), composeFile(name));
  await git(tree, "init", "--quiet", "--initial-branch=main");
  await git(tree, "add", "--all");
  await git(tree, "commit", "--quiet", "--message=Ten");
  await git(folder, "clone", "--quiet", "--bare", name, `${name}.git`);
}
