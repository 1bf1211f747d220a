import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker } from "../helpers/engine-objects.ts";
import { Installation, run } from "../helpers/installation.ts";
import { listenerAt } from "../helpers/listener-at.ts";
import { makeRepository } from "../helpers/repositories.ts";
import type { WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { median, report, summarize, type Comparison, type Goal, type Series } from "./measure.ts";
import * as lines from "./ssh-lines.ts";
import { idleMemory, sshdProcesses } from "./ssh-memory.ts";
import { buildSshImage, Side, sshImage, startSshd } from "./ssh-peers.ts";

const mebibyte = 1024 * 1024;

interface Options {
  /** Of connections and commands; what moves much has fewer. */
  readonly rounds: number;
  readonly bulkRounds: number;
  readonly ground: lines.Ground;
  /** Lines whose name has this. */
  readonly only: string;
}

interface Sides {
  readonly ours: Side;
  readonly peer: Side;
}

/**
 * `npm run bench -- ssh [--rounds N] [--bulk-rounds N] [--mebibytes N] [--only WORD]`: our gateway
 * beside OpenSSH's own server in a container of the same image, by OpenSSH's clients, in turns.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-bench-"));
  const memory = await mkdtemp("/dev/shm/oneloop-bench-");
  const network = `oneloop-bench-${process.pid}`;
  await docker.createNetwork({ Name: network });
  try {
    await buildSshImage();
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
    await using sshd = await startSshd(network, folder);
    await using installation = await Installation.start({ env: { ONELOOP_LOG_LEVEL: "warn" } });
    await installation.loop("keys", "add", join(folder, "key.pub"));
    await makeRepository(folder, "ssh", { files: { "devfile.yaml": devfile } });
    const url = `file://${join(folder, "ssh.git")}`;
    const { ssh } = await installation.loopJson<WorkspaceDetail>("open", url);
    const at = { user: ssh.user, host: "127.0.0.1", port: ssh.port };
    const peerAt = { user: "dev", host: sshd.host, port: 22 };
    const sides = {
      ours: new Side("Oneloop", { ...at, folder }),
      peer: new Side("OpenSSH sshd", { ...peerAt, folder }),
    };
    const options = readOptions(args, memory);
    const comparisons = await compareAll(sides, options);
    if (wanted(options, "memory")) {
      const [ours, peer] = both(sides, "KiB");
      ours.samples.push(await idleMemory(at, folder, async () => [await listenerAt(ssh.port)]));
      peer.samples.push(await idleMemory(peerAt, folder, () => sshdProcesses(sshd.id)));
      comparisons.push({ what: "memory of an idle session", ours, peer, goal: { below: 64 } });
    }
    report(comparisons.map(summarize));
  } finally {
    await docker.getNetwork(network).remove();
    await rm(folder, { recursive: true, force: true });
    await rm(memory, { recursive: true, force: true });
  }
}

const devfile = `schemaVersion: 2.2.0
metadata:
  name: ssh
components:
  - name: dev
    container:
      image: ${sshImage}
`;

function readOptions(args: readonly string[], folder: string): Options {
  const valueOf = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at === -1 ? undefined : args[at + 1];
  };
  const size = Number(valueOf("mebibytes") ?? 1024) * mebibyte;
  const smallFiles = Number(valueOf("files") ?? 10_000);
  return {
    rounds: Number(valueOf("rounds") ?? 100),
    bulkRounds: Number(valueOf("bulk-rounds") ?? 5),
    ground: { folder, streamBytes: size, fileBytes: size / 2, smallFiles },
    only: valueOf("only") ?? "",
  };
}

function wanted({ only }: Options, what: string): boolean {
  return what.includes(only);
}

function both({ ours, peer }: Sides, unit: Series["unit"]): [Series, Series] {
  return [
    { name: ours.name, unit, samples: [] },
    { name: peer.name, unit, samples: [] },
  ];
}

/** One sample of each side in turns; who begins changes with the round. */
async function inTurns(
  sides: Sides,
  { unit, rounds }: { unit: Series["unit"]; rounds: number },
  measure: (side: Side) => Promise<number | readonly number[]>,
): Promise<{ ours: Series; peer: Series }> {
  const [ours, peer] = both(sides, unit);
  const pairs = [[ours, sides.ours] as const, [peer, sides.peer] as const];
  // What is read, resolved or remembered the first time is not what is measured.
  for (const [, side] of pairs) await measure(side);
  for (let round = 0; round < rounds; round += 1) {
    for (const [series, side] of round % 2 === 0 ? pairs : pairs.toReversed()) {
      series.samples.push(...[await measure(side)].flat());
    }
  }
  return { ours, peer };
}

async function compareAll(sides: Sides, options: Options): Promise<Comparison[]> {
  const { rounds, bulkRounds, ground } = options;
  const found: Comparison[] = [];
  const times = { unit: "ms", rounds } as const;
  const rates = { unit: "MB/s", rounds: bulkRounds } as const;
  const few = { unit: "ms", rounds: Math.min(3, bulkRounds) } as const;
  const add = async (
    what: string,
    goal: Goal | readonly [Goal, { readonly p99: Goal }],
    measured: () => Promise<{ ours: Series; peer: Series }>,
  ): Promise<void> => {
    if (!wanted(options, what)) return;
    const series = await measured();
    const [ofMedian, { p99 }] = "at" in goal ? goal : [goal, { p99: null }];
    found.push({ what, goal: ofMedian, ...series });
    if (p99 !== null) found.push({ what: `${what}, p99`, goal: p99, quantile: 0.99, ...series });
    console.log(`${what}: ${summarize({ what, goal: ofMedian, ...series }).ratio.toFixed(2)}`);
  };

  const connect = [{ atMost: 0.3, towards: 0.2 }, { p99: { atMost: 0.5, towards: 0.3 } }] as const;
  await add("connect + true", connect, () => inTurns(sides, times, (side) => side.time("true")));
  await add("exec on an existing connection", { atMost: 0.6 }, async () => {
    await using ours = await sides.ours.master(join(ground.folder, "ours"));
    await using peer = await sides.peer.master(join(ground.folder, "peer"));
    const series = await inTurns(sides, times, (side) =>
      side.time("true", side === sides.ours ? ours : peer),
    );
    const alone: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      alone.push(await sides.peer.check(join(ground.folder, "peer")));
    }
    console.log(`… of which OpenSSH's client alone: ${median(alone).toFixed(1)} ms`);
    return series;
  });
  for (const cipher of ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"] as const) {
    const [name] = cipher.split("@");
    const goal = { atLeast: 0.7, towards: 0.95 };
    await add(`stream down, ${name}`, goal, () =>
      inTurns(sides, rates, (side) => lines.down(side, cipher, ground)),
    );
    await add(`stream up, ${name}`, goal, () =>
      inTurns(sides, rates, (side) => lines.up(side, cipher, ground)),
    );
  }
  if (["sftp", "rsync"].some((word) => word.includes(options.only.slice(0, word.length)))) {
    await lines.makeFiles(sides.ours, ground);
    await lines.makeFiles(sides.peer, ground);
  }
  const files = { atLeast: 0.8, towards: 1 };
  await add("sftp get", files, () => inTurns(sides, rates, (side) => lines.sftpGet(side, ground)));
  await add("sftp put", files, () => inTurns(sides, rates, (side) => lines.sftpPut(side, ground)));
  await add(`sftp -r of ${ground.smallFiles} files`, { atMost: 1.1 }, () =>
    inTurns(sides, few, (side) => lines.sftpTree(side, ground)),
  );
  await add(`rsync of ${ground.smallFiles} files`, { atMost: 1.1 }, () =>
    inTurns(sides, few, (side) => lines.rsyncTree(side, ground)),
  );
  await add("-L", { atLeast: 0.8, towards: 0.95 }, async () => {
    await using ours = await lines.startSource(sides.ours, ground);
    await using peer = await lines.startSource(sides.peer, ground);
    return await inTurns(sides, rates, (side) =>
      lines.forwarded(side === sides.ours ? ours.port : peer.port, ground),
    );
  });
  const echoes = { unit: "ms", rounds: bulkRounds } as const;
  for (const direction of ["down", "up"] as const) {
    const goal = [{ below: 10 }, { p99: { below: 10 } }] as const;
    await add(`echo beside a bulk ${direction}`, goal, () =>
      inTurns(sides, echoes, (side) => lines.echoBesideBulk(side, direction, 100)),
    );
  }
  return found;
}
