import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation, run, type CommandResult } from "./installation.ts";
import { makeRepository, type Files } from "./repositories.ts";

/** A program that runs until the world ends. */
export type Running = ChildProcessWithoutNullStreams;

/**
 * A person with a key, an installation, and workspaces. `config` is a configuration of OpenSSH's
 * client that knows each workspace by a short name, so that scp, sftp, rsync and sshfs take the same.
 */
export class SshWorld implements AsyncDisposable {
  readonly folder: string;
  readonly config: string;
  readonly oneloop: Installation;
  readonly #lifetime: Lifetime;
  #text = "";

  private constructor(folder: string, oneloop: Installation, lifetime: Lifetime) {
    this.folder = folder;
    this.config = join(folder, "config");
    this.oneloop = oneloop;
    this.#lifetime = lifetime;
  }

  static async start(): Promise<SshWorld> {
    const lifetime = new Lifetime();
    try {
      const folder = await mkdtemp(join(tmpdir(), "oneloop-ssh-"));
      lifetime.defer(() => rm(folder, { recursive: true, force: true }));
      const oneloop = lifetime.own(await Installation.start());
      const world = new SshWorld(folder, oneloop, lifetime);
      const key = join(folder, "key");
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
      const added = await oneloop.loop("keys", "add", `${key}.pub`);
      if (added.exitCode !== 0) throw new Error(added.stderr);
      world.#text = [
        "Host *",
        `  HostName 127.0.0.1`,
        `  Port ${oneloop.sshPort}`,
        `  IdentityFile ${key}`,
        "  IdentitiesOnly yes",
        `  UserKnownHostsFile ${join(folder, "known_hosts")}`,
        "  StrictHostKeyChecking accept-new",
        "  BatchMode yes",
        "  LogLevel ERROR",
        "",
      ].join("\n");
      return world;
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Opens a repository of `files` as a workspace, and makes it `Host <name>`. */
  async open(name: string, files: Files = { "README.md": `${name}\n` }): Promise<WorkspaceDetail> {
    await makeRepository(this.folder, name, { files });
    const url = `file://${join(this.folder, `${name}.git`)}`;
    const workspace = await this.oneloop.loopJson<WorkspaceDetail>("open", url);
    // The first value of a setting wins: what a host has for itself stands first.
    this.#text = `Host ${name}\n  User ${workspace.name}\n\n${this.#text}`;
    await writeFile(this.config, this.#text);
    return workspace;
  }

  /** Something that ends with the world. */
  defer(end: () => unknown): void {
    this.#lifetime.defer(end);
  }

  /** Runs an OpenSSH program, or one that takes `-F` as they do, to its end. */
  run(program: string, args: readonly string[], input?: string | Buffer): Promise<CommandResult> {
    return run(program, ["-F", this.config, ...args], input === undefined ? {} : { input });
  }

  /** Runs a line in a workspace, and gives what it prints. */
  async sh(name: string, line: string, input?: string | Buffer): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run("ssh", [name, line], input);
    if (exitCode !== 0) throw new Error(`${line}: ${exitCode}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** Starts ssh, which ends with the world at the latest. */
  start(args: readonly string[]): Running {
    const child = spawn("ssh", ["-F", this.config, ...args]);
    child.stdin.on("error", () => undefined);
    this.#lifetime.defer(() => child.kill("SIGKILL"));
    return child;
  }

  /** A connection with these options that stands when this resolves, and its shell on standard input. */
  async connect(name: string, ...options: readonly string[]): Promise<Running> {
    const child = this.start([...options, name, "echo ready; exec sh"]);
    const said: Buffer[] = [];
    child.stderr.on("data", (piece: Buffer) => said.push(piece));
    await Promise.race([once(child.stdout, "data"), once(child, "close")]);
    if (child.exitCode !== null) throw new Error(Buffer.concat(said).toString());
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}

/** Ends a connection as a person does who closes it, and gives its status. */
export async function hangUp(child: Running): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const closed = once(child, "close");
  child.stdin.end();
  await closed;
  return child.exitCode;
}
