import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation, run, type CommandResult } from "./installation.ts";
import { makeRepository, type Files } from "./repositories.ts";
import { Screen } from "./screen.ts";

/** A person with a key, their workspace of the default image, and the real OpenSSH client. */
export class SshWorkspace implements AsyncDisposable {
  readonly folder: string;
  readonly oneloop: Installation;
  readonly ws: WorkspaceDetail;
  readonly #lifetime: Lifetime;
  readonly #children = new Set<ChildProcessWithoutNullStreams>();

  private constructor(
    parts: { folder: string; oneloop: Installation; ws: WorkspaceDetail },
    lifetime: Lifetime,
  ) {
    ({ folder: this.folder, oneloop: this.oneloop, ws: this.ws } = parts);
    this.#lifetime = lifetime;
  }

  /** @param files of its repository. */
  static async start(files: Files = { "README.md": "a workspace\n" }): Promise<SshWorkspace> {
    const lifetime = new Lifetime();
    try {
      const folder = await mkdtemp(join(tmpdir(), "oneloop-ssh-"));
      lifetime.defer(() => rm(folder, { recursive: true, force: true }));
      const key = join(folder, "key");
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
      await makeRepository(folder, "sessions", { files });
      const oneloop = lifetime.own(await Installation.start());
      const added = await oneloop.loop("keys", "add", `${key}.pub`);
      if (added.exitCode !== 0) throw new Error(added.stderr);
      const url = `file://${join(folder, "sessions.git")}`;
      const ws = await oneloop.loopJson<WorkspaceDetail>("open", url);
      return new SshWorkspace({ folder, oneloop, ws }, lifetime);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  get host(): string {
    return `${this.ws.name}@127.0.0.1`;
  }

  /** Arguments of ssh and its kin that make them use nothing of this machine's user. */
  options(): string[] {
    return [
      ...["-F", "none", "-i", join(this.folder, "key"), "-o", "IdentitiesOnly=yes"],
      ...["-o", `UserKnownHostsFile=${join(this.folder, "known_hosts")}`, "-o", "LogLevel=ERROR"],
      ...["-o", "StrictHostKeyChecking=accept-new", "-o", `Port=${this.oneloop.sshPort}`],
    ];
  }

  /** Runs a command to its end; `options` win over the usual ones. */
  ssh(command: string, { options = [], input, env }: SshOptions = {}): Promise<CommandResult> {
    const args = [...options, ...this.options(), this.host, ...(command === "" ? [] : [command])];
    return run("ssh", args, {
      ...(input === undefined ? {} : { input }),
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    });
  }

  /** The same, while it runs. */
  spawn(
    command: string,
    options: readonly string[] = [],
    env: NodeJS.ProcessEnv = process.env,
  ): ChildProcessWithoutNullStreams {
    const child = spawn("ssh", [...options, ...this.options(), this.host, command], { env });
    this.#children.add(child);
    child.on("close", () => this.#children.delete(child));
    child.stdin.on("error", () => undefined);
    return child;
  }

  /** ssh on a terminal of this machine. */
  login(
    options: readonly string[] = [],
    { env, command = [] }: { env?: NodeJS.ProcessEnv; command?: readonly string[] } = {},
  ): Screen {
    return new Screen("ssh", [...options, ...this.options(), this.host, ...command], {
      ...{ cols: 101, rows: 31 },
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

export interface SshOptions {
  readonly options?: readonly string[];
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
}
