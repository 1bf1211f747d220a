import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { randomInt } from "node:crypto";
import { readTrust } from "../../server/engine/docker/images/trust.ts";
import { removeInstallation, removeTrusting } from "./engine-objects.ts";
import { freePort } from "./ports.ts";

// The same place from the sources and from dist, where the benchmarks run.
const here = fileURLToPath(new URL("..", import.meta.url));
export const root = existsSync(join(here, "..", "server", "start.js"))
  ? join(here, "..")
  : join(here, "..", "..");

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface InstallationOptions {
  /** More settings, such as ONELOOP_ALLOW_NET. */
  readonly env?: Readonly<Record<string, string>>;
  /** The product's folder; this one by default. */
  readonly checkout?: string;
}

/**
 * A Oneloop of a test's own: own id, ports, subnets, data folder and command-line configuration.
 * Disposing removes everything of it from the engine and from the disk.
 */
export class Installation implements AsyncDisposable {
  readonly dataDir: string;
  readonly port: number;
  readonly sshPort: number;
  readonly env: NodeJS.ProcessEnv;
  signInLink = "";
  readonly #checkout: string;
  #process: ChildProcess | null = null;

  private constructor(
    dataDir: string,
    ports: { port: number; sshPort: number },
    options: InstallationOptions,
  ) {
    this.dataDir = dataDir;
    this.port = ports.port;
    this.sshPort = ports.sshPort;
    this.#checkout = options.checkout ?? root;
    this.env = {
      ...process.env,
      CI: "true",
      ONELOOP_DATA_DIR: dataDir,
      ONELOOP_CONFIG_DIR: join(dataDir, "config"),
      ONELOOP_PORT: String(ports.port),
      ONELOOP_SSH_PORT: String(ports.sshPort),
      ONELOOP_URL: `http://127.0.0.1:${ports.port}`,
      // Apart from the default range, and from other test runs on this engine.
      ONELOOP_SUBNETS: `10.${randomInt(100, 200)}.${randomInt(0, 16) * 16}.0/20`,
      ONELOOP_LOG_LEVEL: "debug",
      // Seldom of use to a test, and work for the machine at the start of each.
      ONELOOP_SPARE_SANDBOXES: "0",
      ...options.env,
    };
  }

  /** Starts it as `npm start` does; `output` of the start is kept for the assertions. */
  static async start(options: InstallationOptions = {}): Promise<Installation> {
    const dataDir = await mkdtemp(join(tmpdir(), "oneloop-test-"));
    // The database's own user must be able to enter.
    await chmod(dataDir, 0o755);
    const ports = { port: await freePort(), sshPort: await freePort() };
    const installation = new Installation(dataDir, ports, options);
    try {
      await installation.start();
    } catch (error) {
      await installation[Symbol.asyncDispose]();
      throw error;
    }
    return installation;
  }

  get url(): string {
    return `http://app.localhost:${this.port}`;
  }

  get id(): string {
    return readFileSync(join(this.dataDir, "installation"), "utf8").trim();
  }

  /**
   * Starts the control plane and waits for its sign-in link; returns what it printed.
   *
   * @param commands that a person types in the product's folder, the last of which starts it.
   */
  async start(commands: string | null = null): Promise<string> {
    const [program, args] =
      commands === null
        ? [process.execPath, ["server/start.js", "--yes"]]
        : ["sh", ["-euc", commands]];
    const child = spawn(program, args, {
      cwd: this.#checkout,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const log = createWriteStream(join(this.dataDir, "test-control-plane.log"), { flags: "a" });
    child.stderr.pipe(log);
    let printed = "";
    await new Promise<void>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        printed += chunk;
        const link = /(https?:\/\/\S+\/sign-in#\S+)/.exec(printed)?.[1];
        if (link === undefined) return;
        this.signInLink = link;
        resolve();
      });
      child.once("error", reject);
      child.once("close", () =>
        reject(new Error(`npm start ended early:\n${printed}\n${this.log()}`)),
      );
    });
    return printed;
  }

  /** Of the control plane, while it runs. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** What the control plane logged, for a failing test. */
  log(): string {
    const path = join(this.dataDir, "test-control-plane.log");
    return existsSync(path) ? readFileSync(path, "utf8").slice(-8000) : "";
  }

  /** As a power cut: no handler runs. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Resolves when the control plane has ended by itself, or was killed. */
  async ended(): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await once(child, "close");
  }

  /** Runs the command line as a user does, with this installation's configuration. */
  loop(...args: string[]): Promise<CommandResult> {
    const loop = join(this.#checkout, "cli/bin/loop.js");
    return run(process.execPath, [loop, ...args], { env: this.env });
  }

  /** Runs `loop … --json` and parses what it prints. */
  async loopJson<Value>(...args: string[]): Promise<Value> {
    const { exitCode, stdout, stderr } = await this.loop(...args, "--json");
    if (exitCode !== 0) {
      throw new Error(`loop ${args.join(" ")}: ${exitCode}\n${stdout}\n${stderr}\n${this.log()}`);
    }
    return JSON.parse(stdout) as Value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is wrong with its end is said when nothing of it is left.
    const failure = await this.stop().then(
      () => null,
      (error: unknown) => error,
    );
    await stopPostgres(this.dataDir);
    const idFile = join(this.dataDir, "installation");
    if (existsSync(idFile)) await removeInstallation(this.id);
    await this.#removeOwnImages();
    await rm(this.dataDir, { recursive: true, force: true });
    if (failure !== null) throw failure;
  }

  async #removeOwnImages(): Promise<void> {
    const caFile = this.env["ONELOOP_CA_FILE"] || this.env["NODE_EXTRA_CA_CERTS"];
    if (caFile === undefined) return;
    const { ownId } = await readTrust(caFile);
    if (ownId !== null) await removeTrusting(ownId);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const said: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (piece: string) => said.push(piece));
    const closed = once(child, "close");
    // What a shell or npm started is not the child itself.
    const holder = await holderOf(this.dataDir);
    if (holder === null) child.kill(signal);
    else process.kill(holder, signal);
    await closed;
    const leak = /^Still open at the end: .*$/m.exec(said.join(""))?.[0];
    if (leak !== undefined) throw new Error(`The control plane did not end by itself. ${leak}`);
  }
}

/** The process of the control plane that has a data folder: its lock says which; null: none. */
async function holderOf(dataDir: string): Promise<number | null> {
  const socket = connect(join(dataDir, "control-plane.lock"));
  try {
    return Number(await text(socket));
  } catch {
    return null;
  }
}

/** Ends the database that a killed control plane left, by the id in its own pid file. */
async function stopPostgres(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, "postgres/data/postmaster.pid");
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, "utf8").split("\n")[0]);
  try {
    // SIGINT is PostgreSQL's fast shutdown.
    process.kill(pid, "SIGINT");
  } catch {
    return;
  }
  // The file goes when the server has ended; there is no event of a process that is not our child.
  for (let attempt = 0; attempt < 200 && existsSync(pidFile); attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs a program to its end and collects what it prints. */
export function run(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string | Buffer } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: options.env ?? process.env,
      cwd: options.cwd ?? root,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
