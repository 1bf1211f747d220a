import type { Engine } from "../engine/engine.ts";
import type { Owner, StepOptions, WorkspaceSpec } from "../engine/steps.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import { controlPlaneActor } from "../protocol/supervisor.ts";
import type { GitRequest, GitResult, GitRunner } from "../repo/git-runner.ts";
import { cachePath } from "../repo/repositories.ts";
import { randomIds } from "../util/ids.ts";
import { credentialedGit } from "./credentialed-git.ts";
import { localGitJob } from "./local-git.ts";
import { collectWithin } from "../terminals/collect-within.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { deadline } from "../util/deadline.ts";

/** The container and the volume of the repository cache belong to Oneloop, not to a workspace. */
export const cacheOwner: Owner = { kind: "part", id: "cache" };
export const cacheVolume = "repositories";

/** git index-pack of a large repository; more would take from the workspaces. */
const memoryLimitBytes = 4 * 1024 ** 3;

/** Network, container and supervisor: a second, and half a minute on a machine that is busy. */
const startTimeoutMs = 120_000;

/** Mounted when the container starts: what is older than it, nobody of this start has made. */
const startMark = "/dev";
/** A walk through the folders of all repositories, on a slow disk. */
const oldLocksMs = 60_000;

/**
 * Runs git for the cache, confined. What talks to the network runs in one long-lived container that
 * has a workspace's rules and a supervisor (an exec there takes milliseconds; a container of its
 * own would cost each open 150 ms). What reads a folder of this machine runs in a container of its
 * own, which has no network and sees that folder only.
 */
export class ConfinedGit implements GitRunner {
  readonly #engine: Engine;
  readonly #supervisors: Supervisors;
  readonly #spec: WorkspaceSpec;
  readonly #publicKey: string;
  #ready: Promise<void> | null = null;

  constructor(
    engine: Engine,
    supervisors: Supervisors,
    options: { helperImage: string; publicKey: string },
  ) {
    this.#engine = engine;
    this.#supervisors = supervisors;
    this.#publicKey = options.publicKey;
    this.#spec = {
      owner: cacheOwner,
      name: "repository-cache",
      plan: cachePlan(options.helperImage),
    };
  }

  /** Starts the cache's container, or finds it running. Later calls share the first one's work. */
  ensureStarted(): Promise<void> {
    this.#ready ??= this.#start().catch((error: unknown) => {
      this.#ready = null;
      throw error;
    });
    return this.#ready;
  }

  async run(request: GitRequest): Promise<GitResult> {
    return request.localFolder === undefined
      ? this.#runInCache(request)
      : this.#runOverFolder(request, request.localFolder);
  }

  async #start(): Promise<void> {
    using limit = deadline(null, startTimeoutMs);
    const options: StepOptions = { signal: limit.signal };
    await Promise.all([
      this.#engine.ensureStorage(this.#spec, options),
      this.#engine.ensureSandbox(this.#spec, options),
    ]);
    const setup = { publicKey: this.#publicKey, env: {} };
    const { address, boot } = await this.#engine.ensureMembers(this.#spec, setup, options);
    this.#supervisors.remember(cacheOwner, address, boot);
    await this.#removeOldLocks();
  }

  /** A git that was killed with its container leaves lock files, and no later fetch gets past one. */
  async #removeOldLocks(): Promise<void> {
    using stream = await this.#supervisors.exec(
      { owner: cacheOwner, actor: controlPlaneActor },
      { argv: ["find", cachePath, "-name", "*.lock", "!", "-newer", startMark, "-delete"] },
    );
    using limit = deadline(null, oldLocksMs);
    await collectWithin(stream, { signal: limit.signal });
  }

  async #runInCache(request: GitRequest, retried = false): Promise<GitResult> {
    const { argv, stdin } =
      request.credential === undefined
        ? { argv: ["git", ...request.args], stdin: request.stdin }
        : credentialedGit(request.args, request.credential);
    try {
      await this.ensureStarted();
      using stream = await this.#supervisors.exec(
        { owner: cacheOwner, actor: controlPlaneActor },
        { argv, cwd: cachePath, env: { ...request.env } },
      );
      using limit = deadline(request.signal, request.timeoutMs);
      const said = await collectWithin(stream, { input: stdin, signal: limit.signal });
      const { exit, stdout, stderr } = said;
      return { exitCode: exit.code ?? 1, stdout, stderr: exit.error ?? stderr.toString("utf8") };
    } catch (error) {
      const gone =
        error instanceof OneloopError &&
        (error.code === "workspace-not-running" || error.code === "supervisor-unreachable");
      if (!gone) throw error;
      if (retried) throw cacheGone(error);
      // The container died (an engine that restarted): made again once, then the error is real.
      this.#ready = null;
      this.#supervisors.forget(cacheOwner);
      return this.#runInCache(request, true);
    }
  }

  async #runOverFolder(request: GitRequest, hostPath: string): Promise<GitResult> {
    const job = await localGitJob(request, hostPath, {
      owner: cacheOwner,
      volume: cacheVolume,
      secret: randomIds.id(),
    });
    const { exitCode, stdout, stderr } = await this.#engine.runJob(job, {
      signal: request.signal,
    });
    return { exitCode, stdout: Buffer.from(stdout), stderr };
  }
}

function cacheGone(cause: unknown): OneloopError {
  return new OneloopError(
    "engine-failed",
    "Oneloop's repository cache does not run, so nothing was read or changed. Try again; if it lasts, `loop doctor` on the machine of the control plane says more.",
    { cause },
  );
}

/** A remote's host key is taken at the first sight and kept; a changed one is refused. */
const sshCommand = [
  ...["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"],
  ...["-o", `UserKnownHostsFile=${cachePath}/.known-hosts`, "-o", "ConnectTimeout=20"],
].join(" ");

const gitEnvironment: Readonly<Record<string, string>> = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_ALLOW_PROTOCOL: "https:http:ssh",
  GIT_SSH_COMMAND: sshCommand,
  // A server that stops in the middle: less than 1 kB/s for 20 s is none.
  GIT_HTTP_LOW_SPEED_LIMIT: "1000",
  GIT_HTTP_LOW_SPEED_TIME: "20",
};

function cachePlan(image: string): WorkspacePlan {
  return {
    version: 1,
    devService: "git",
    services: [
      {
        name: "git",
        image,
        command: null,
        args: null,
        memoryLimitBytes,
        memoryRequestBytes: null,
        cpuLimitCores: null,
        cpuRequestCores: null,
        user: null,
        readOnlyRoot: false,
        sourcePath: null,
        dedicatedPod: false,
        env: gitEnvironment,
        endpoints: [],
        mounts: [{ volume: cacheVolume, path: cachePath }],
      },
    ],
    volumes: [{ name: cacheVolume, sizeBytes: null, ephemeral: false }],
    checkout: null,
    tasks: [],
    because: [],
    leftOut: [],
  };
}
