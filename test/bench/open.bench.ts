import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn as spawnPty } from "node-pty";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { startGitServer } from "../helpers/git-server.ts";
import { Installation, run } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { BenchClient, type TerminalReader } from "./client.ts";
import { report, summarize, type Comparison, type Series } from "./measure.ts";

const image = "oneloop/workspace:latest";
const transferBytes = 50_000_000;
/** On both sides: newer OpenSSH prefers a key exchange that costs 60 ms more, and that we lack. */
const kex = ["-o", "KexAlgorithms=curve25519-sha256"];

/** `npm run bench -- open [--rounds N]` */
export async function bench(args: readonly string[]): Promise<void> {
  const at = args.indexOf("--rounds");
  const rounds = at === -1 ? 20 : Number(args[at + 1]);
  const folder = await mkdtemp(join(tmpdir(), "oneloop-bench-"));
  const network = `oneloop-bench-${process.pid}`;
  const address = machineAddress();
  const port = await freePort();
  await using server = await startGitServer({ root: folder, host: address, port });
  await using installation = await Installation.start({
    env: { ONELOOP_ALLOW_NET: `${address}:${port}`, ONELOOP_LOG_LEVEL: "warn" },
  });
  await docker.createNetwork({ Name: network });
  try {
    await makeRepository(folder);
    const client = await BenchClient.signIn(installation);
    const url = server.url("small.git");
    const open = await benchOpen(client, { url, network, rounds });
    const ws = await client.open(url);
    const ssh = await benchSsh(installation, { folder, network, rounds, user: ws.name });
    const terminal = await benchTerminal(client, { workspace: ws.id, folder, rounds });
    report([open, ssh, terminal].map(summarize));
  } finally {
    await docker.getNetwork(network).remove();
    await rm(folder, { recursive: true, force: true });
  }
}

/** From the request to the first byte of the prompt, image present and repository cached. */
async function benchOpen(
  client: BenchClient,
  { url, network, rounds }: { url: string; network: string; rounds: number },
): Promise<Comparison> {
  const ours: Series = { name: "Oneloop", unit: "ms", samples: [] };
  const peer: Series = { name: "docker run -it", unit: "ms", samples: [] };
  const warm = await client.open(url);
  await client.delete(warm.id);
  await dockerRun(network);
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    const workspace = await client.open(url);
    const terminal = await client.api.terminals.create.mutate({ workspace: workspace.id });
    using reader = await client.terminal(workspace.id, terminal.id);
    ours.samples.push(performance.now() - began);
    reader[Symbol.dispose]();
    await client.delete(workspace.id);
    peer.samples.push(await dockerRun(network));
  }
  return { what: "open, to first prompt byte", ours, peer, goal: { atMost: 2 } };
}

/** Of the same image, on a user network, to the first byte of its prompt, in ms. */
async function dockerRun(network: string): Promise<number> {
  const began = performance.now();
  const pty = spawnPty("docker", ["run", "-it", "--rm", "--network", network, image], {});
  const first = await new Promise<number>((resolve) => {
    const data = pty.onData(() => {
      data.dispose();
      resolve(performance.now() - began);
    });
  });
  const ended = new Promise<void>((resolve) => {
    pty.onExit(() => resolve());
  });
  pty.write("exit\r");
  await ended;
  return first;
}

async function benchSsh(
  installation: Installation,
  options: { folder: string; network: string; rounds: number; user: string },
): Promise<Comparison> {
  const key = join(options.folder, "key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  await installation.loop("keys", "add", `${key}.pub`);
  await using sshd = await startSshd(options.network, `${key}.pub`);
  const ours: Series = { name: "Oneloop", unit: "ms", samples: [] };
  const peer: Series = { name: "OpenSSH sshd", unit: "ms", samples: [] };
  const base = [
    ...[
      "-F",
      "none",
      "-i",
      key,
      "-o",
      "IdentitiesOnly=yes",
      "-o",
      "StrictHostKeyChecking=accept-new",
    ],
    ...["-o", `UserKnownHostsFile=${join(options.folder, "known_hosts")}`, ...kex],
  ];
  const login = (host: string, port: number) => async (): Promise<number> => {
    const began = performance.now();
    const { exitCode, stderr } = await run("ssh", [...base, "-p", String(port), host, "true"]);
    if (exitCode !== 0) throw new Error(`ssh to ${host}: ${stderr}`);
    return performance.now() - began;
  };
  const toUs = login(`${options.user}@127.0.0.1`, installation.sshPort);
  const toSshd = login(`dev@${sshd.host}`, 22);
  await toUs();
  await toSshd();
  for (let round = 0; round < options.rounds; round += 1) {
    ours.samples.push(await toUs());
    peer.samples.push(await toSshd());
  }
  return { what: "ssh … true", ours, peer, goal: { atMost: 0.4 } };
}

/** OpenSSH's own server in a container of the same image. */
async function startSshd(
  network: string,
  publicKey: string,
): Promise<{ host: string } & AsyncDisposable> {
  const tag = "oneloop-bench/sshd:latest";
  const dockerfile = [
    `FROM ${image}`,
    "USER root",
    "RUN apt-get update -q && apt-get install -y -q --no-install-recommends openssh-server",
    // Without PAM, sshd lets nobody into an account whose password is locked.
    "RUN usermod -p '*' dev",
    "RUN mkdir -p /run/sshd /home/dev/.ssh && chown dev:dev /home/dev/.ssh",
  ].join("\n");
  const built = await run("docker", ["build", "-q", "-t", tag, "-"], { input: dockerfile });
  if (built.exitCode !== 0) throw new Error(built.stderr);
  const started = await run("docker", [
    ...["run", "-d", "--rm", "--network", network, "--user", "root", tag],
    ...["/usr/sbin/sshd", "-D", "-e", "-o", "UsePAM=no", "-o", "StrictModes=no"],
  ]);
  const id = started.stdout.trim();
  await run("docker", ["cp", publicKey, `${id}:/home/dev/.ssh/authorized_keys`]);
  const { NetworkSettings } = await docker.getContainer(id).inspect();
  const host = NetworkSettings.Networks[network]?.IPAddress ?? "";
  return {
    host,
    [Symbol.asyncDispose]: async () => docker.getContainer(id).remove({ force: true }),
  };
}

/** 50 MB of text through a terminal of the browser's kind, against a reader of a bare pty. */
async function benchTerminal(
  client: BenchClient,
  options: { workspace: string; folder: string; rounds: number },
): Promise<Comparison> {
  const ours: Series = { name: "Oneloop", unit: "MB/s", samples: [] };
  const peer: Series = { name: "bare pty", unit: "MB/s", samples: [] };
  const line = `${"abcdefghi ".repeat(9)}\n`;
  const file = join(options.folder, "text");
  await writeFile(file, line.repeat(Math.ceil(transferBytes / line.length)));
  const terminal = await client.api.terminals.create.mutate({ workspace: options.workspace });
  using reader = await client.terminal(options.workspace, terminal.id);
  const make = `yes '${line.trimEnd()}' | head -c ${transferBytes} > /tmp/text; echo made-$((1+1))\n`;
  await sendAndCount(reader, { command: make, until: "made-2", bytes: 0 });
  for (let round = 0; round < options.rounds; round += 1) {
    const command = `cat /tmp/text; echo end-${round}-$((1+1))\n`;
    const until = `end-${round}-2`;
    ours.samples.push(await sendAndCount(reader, { command, until, bytes: transferBytes }));
    peer.samples.push(await barePty(file));
  }
  return { what: "50 MB through a terminal", ours, peer, goal: { atLeast: 0.85 } };
}

/** @returns MB/s from the command to the end mark. */
async function sendAndCount(
  reader: TerminalReader,
  work: { command: string; until: string; bytes: number },
): Promise<number> {
  const began = performance.now();
  reader.type(work.command);
  await reader.until((tail) => tail.includes(work.until));
  return work.bytes / 1000 / (performance.now() - began);
}

async function barePty(file: string): Promise<number> {
  const began = performance.now();
  const pty = spawnPty("cat", [file], { encoding: null });
  let bytes = 0;
  pty.onData((data) => {
    bytes += data.length;
  });
  await new Promise<void>((resolve) => {
    pty.onExit(() => resolve());
  });
  if (bytes < transferBytes) throw new Error(`the bare pty gave ${bytes} bytes`);
  return transferBytes / 1000 / (performance.now() - began);
}

/** One component, 200 small files. */
async function makeRepository(folder: string): Promise<void> {
  const tree = join(folder, "tree");
  await mkdir(tree);
  for (let index = 0; index < 200; index += 1) {
    const sub = join(tree, `part-${index % 10}`);
    await mkdir(sub, { recursive: true });
    await writeFile(join(sub, `file-${index}.txt`), `file ${index}\n`.repeat(20));
  }
  const devfile = `schemaVersion: 2.2.0
metadata:
  name: small
components:
  - name: dev
    container:
      image: ${image}
`;
  await writeFile(join(tree, "devfile.yaml"), devfile);
  await git(tree, "init", "--quiet", "--initial-branch=main");
  await git(tree, "add", "--all");
  await git(tree, "commit", "--quiet", "--message=Small");
  await git(folder, "clone", "--quiet", "--bare", "tree", "small.git");
}
