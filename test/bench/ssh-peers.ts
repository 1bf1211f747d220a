import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { docker } from "../helpers/engine-objects.ts";
import { run } from "../helpers/installation.ts";

/** The workspace's image with OpenSSH's server and rsync: what both sides run in. */
export const sshImage = "oneloop-bench/ssh:latest";

/** On both sides: newer OpenSSH prefers a key exchange that costs 60 ms more, and that we lack. */
const kex = "curve25519-sha256";

export type Cipher = "aes128-gcm@openssh.com" | "chacha20-poly1305@openssh.com";

/** What a program of OpenSSH's is told, beside what is measured. */
export interface Asked {
  readonly cipher?: Cipher;
  /** More options, before the host. */
  readonly options?: readonly string[];
}

/** One side of the comparison: a server that the real clients are pointed at. */
export class Side {
  readonly name: string;
  /** `user@host`, as the clients take it. */
  readonly destination: string;
  readonly #options: readonly string[];

  constructor(
    name: string,
    { user, host, port, folder }: { user: string; host: string; port: number; folder: string },
  ) {
    this.name = name;
    this.destination = `${user}@${host}`;
    const settings = {
      Port: port,
      IdentityFile: join(folder, "key"),
      IdentitiesOnly: "yes",
      IdentityAgent: "none",
      BatchMode: "yes",
      LogLevel: "ERROR",
      StrictHostKeyChecking: "accept-new",
      UserKnownHostsFile: join(folder, "known_hosts"),
      KexAlgorithms: kex,
    };
    const words = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    this.#options = ["-F", "none", ...words];
  }

  options({ cipher = "aes128-gcm@openssh.com", options = [] }: Asked = {}): string[] {
    return [...this.#options, "-c", cipher, ...options];
  }

  /** An ssh that runs on. */
  start(command: string, asked: Asked = {}, stdio: StdioOptions = "pipe"): ChildProcess {
    return spawn("ssh", [...this.options(asked), this.destination, command], { stdio });
  }

  /** Runs a command; resolves with how long it took, in ms, from the spawn to the end. */
  async time(command: string, asked: Asked = {}): Promise<number> {
    return this.timeProgram("ssh", [...this.options(asked), this.destination, command]);
  }

  /**
   * A line of shell in which `$SSH` stands for ssh with its options; how long it took, in ms. Pipes
   * stay between the programs: no byte passes through us.
   */
  async timeShell(line: string, asked: Asked = {}): Promise<number> {
    const ssh = ["ssh", ...this.options(asked)].map((word) => `'${word}'`).join(" ");
    const text = line.replaceAll("$SSH", ssh).replaceAll("$DESTINATION", this.destination);
    return this.timeProgram("bash", ["-o", "pipefail", "-c", text]);
  }

  async timeProgram(program: string, args: readonly string[], input = ""): Promise<number> {
    const began = performance.now();
    const { exitCode, stderr } = await run(program, args, { input });
    const took = performance.now() - began;
    if (exitCode !== 0) throw new Error(`${program} on ${this.name}: ${exitCode} ${stderr}`);
    return took;
  }

  /** The client's own time, in ms: it starts and asks a master, which asks no server. */
  check(path: string): Promise<number> {
    return this.timeProgram("ssh", [
      ...this.options(),
      "-S",
      path,
      "-O",
      "check",
      this.destination,
    ]);
  }

  /** A connection that later ssh's with its options use. */
  async master(path: string): Promise<{ readonly options: string[] } & AsyncDisposable> {
    const args = [...this.options(), "-M", "-N", "-S", path, this.destination];
    const child = spawn("ssh", args, { stdio: "ignore" });
    const check = ["-S", path, "-O", "check", this.destination];
    // Its socket has no event for us.
    while ((await run("ssh", check)).exitCode !== 0) {
      if (child.exitCode !== null) throw new Error(`no master to ${this.name}`);
    }
    return {
      options: ["-S", path],
      [Symbol.asyncDispose]: async () => {
        const closed = once(child, "close");
        child.kill();
        await closed;
      },
    };
  }
}

/** Builds the image that both sides run in. */
export async function buildSshImage(): Promise<void> {
  const dockerfile = [
    "FROM oneloop/workspace:latest",
    "USER root",
    "RUN apt-get update -q && apt-get install -y -q --no-install-recommends openssh-server rsync",
    // Without PAM, sshd lets nobody into an account whose password is locked.
    "RUN usermod -p '*' dev",
    "RUN mkdir -p /run/sshd /home/dev/.ssh && chown dev:dev /home/dev/.ssh",
    "USER dev",
  ].join("\n");
  const built = await run("docker", ["build", "-q", "-t", sshImage, "-"], { input: dockerfile });
  if (built.exitCode !== 0) throw new Error(built.stderr);
}

/** OpenSSH's own server in a container of the same image. */
export async function startSshd(
  network: string,
  folder: string,
): Promise<{ readonly host: string; readonly id: string } & AsyncDisposable> {
  const limits = ["MaxSessions=256", "MaxStartups=256"].flatMap((limit) => ["-o", limit]);
  const started = await run("docker", [
    ...["run", "-d", "--rm", "--init", "--network", network, "--user", "root", sshImage],
    ...["/usr/sbin/sshd", "-D", "-e", "-o", "UsePAM=no", "-o", "StrictModes=no", ...limits],
  ]);
  const id = started.stdout.trim();
  await run("docker", ["cp", join(folder, "key.pub"), `${id}:/home/dev/.ssh/authorized_keys`]);
  const { NetworkSettings } = await docker.getContainer(id).inspect();
  return {
    id,
    host: NetworkSettings.Networks[network]?.IPAddress ?? "",
    [Symbol.asyncDispose]: async () => docker.getContainer(id).remove({ force: true }),
  };
}
