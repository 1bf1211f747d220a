import type { Agent } from "node:http";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { PlannedService } from "../../protocol/service.ts";
import { randomIds } from "../../util/ids.ts";
import { readAllowNet } from "../../util/allow-net.ts";
import type { Log } from "../../util/log.ts";
import type { Engine, EngineEvent, Preparation, SupervisorSetup } from "../engine.ts";
import type { ImageBuildRequest, ImageFacts, ImageOptions, KnownImages } from "../images.ts";
import type { Job, JobResult } from "../jobs.ts";
import type { Observed, ObservedMember } from "../observed.ts";
import type {
  EnterSetup,
  ChangedFile,
  FileChanges,
  LogEntry,
  LogOptions,
  ServiceStart,
} from "../services.ts";
import type { Owner, ServiceOf, StepOptions, SupervisorAddress, WorkspaceSpec } from "../steps.ts";
import { mirroredService } from "../member-spec.ts";
import { buildImage, type BuildParts } from "./builds/index.ts";
import { usualBuildLimits, type BuildLimits } from "./builds/limits.ts";
import { readFolder } from "./builds/read-folder.ts";
import { changeFiles } from "./change-files.ts";
import { connectDocker, toEngineError, usualPatience, type Patience } from "./client.ts";
import { ensureMembers } from "./ensure-members.ts";
import { enterService } from "./enter.ts";
import { watchEvents } from "./events.ts";
import { Images } from "./image-facts.ts";
import { trustEnvironment } from "./images/trust.ts";
import { endPrepared, prepareJob, removeStaleJobs, runJob, type JobParts } from "./jobs.ts";
import { readLogs } from "./logs.ts";
import { Names } from "./names.ts";
import { removeWaitingNetwork } from "./network.ts";
import {
  observe,
  observeService,
  owners,
  supervisorAddress,
  type ObserveParts,
} from "./observe.ts";
import { countPrepared } from "./pods.ts";
import {
  ensureSandboxes,
  ownSandbox,
  ensureSandboxOf,
  prepareSandboxes,
  type SandboxParts,
} from "./sandboxes.ts";
import { renewService } from "./renew-service.ts";
import { ensureService, execInService, stopService, type ServiceParts } from "./services.ts";
import { Registries, unknownImages } from "./registries.ts";
import { runToEnd } from "./run-to-end.ts";
import { subnetCandidates } from "./subnets.ts";
import { removeOwner, stopOwner } from "./take-down.ts";
import { ensureVolumes } from "./volumes.ts";

export interface DockerEngineOptions {
  /** A unix socket of this machine: `unix:///var/run/docker.sock`. */
  readonly dockerHost: string;
  /** Eight characters of [a-z2-7]; in every name and label. */
  readonly installation: string;
  /** References of Oneloop's own images, and the volume of the supervisor. */
  readonly images: {
    readonly helper: string;
    readonly workspace: string;
    readonly supervisorVolume: string;
    /** Says which authorities of the operator's own the volume's bundle has; none, by default. */
    readonly trustId?: string | null;
  };
  /** What is known of images that came from registries; nothing, by default. */
  readonly knownImages?: KnownImages;
  /** References that the operator gives to everybody, whatever their registries say. */
  readonly givenImages?: readonly string[];
  /** The range from which each network takes a small part. */
  readonly subnets: string;
  /** `host:port` each. */
  readonly allowNet: readonly string[];
  readonly isolation: "on" | "off";
  /** What a build of a repository's image may use; `usualBuildLimits` by default. */
  readonly buildLimits?: BuildLimits;
  /** The machine's list of name servers; `/etc/resolv.conf` by default. */
  readonly resolvConf?: string;
  /** How long the engine may be silent; `usualPatience` by default. */
  readonly patience?: Patience;
  readonly log: Log;
}

/**
 * Workspaces as containers of a Docker engine (20.10 or newer) on this machine.
 *
 * @throws OneloopError `bad-input` for a wrong setting, `engine-unreachable` when nothing answers.
 */
export async function createDockerEngine(options: DockerEngineOptions): Promise<Engine> {
  const allowed = readAllowNet(options.allowNet).hosts;
  // Refuses a wrong range now, and not at the first workspace.
  subnetCandidates(options.subnets, "").next();
  const { docker, agent } = connectDocker(options.dockerHost, options.patience ?? usualPatience);
  try {
    await docker.ping();
  } catch (error) {
    agent.destroy();
    throw toEngineError(error, null);
  }
  return new DockerEngine(options, { docker, agent, allowed });
}

class DockerEngine implements Engine {
  readonly kind = "docker";
  readonly #docker: Docker;
  readonly #agent: Agent;
  readonly #names: Names;
  readonly #images: Images;
  readonly #sandboxes: SandboxParts;
  readonly #jobs: JobParts;
  readonly #supervisorVolume: string;
  readonly #builds: Pick<BuildParts, "trust" | "limits">;

  constructor(
    options: DockerEngineOptions,
    connected: { docker: Docker; agent: Agent; allowed: SandboxParts["allowed"] },
  ) {
    const { docker, agent, allowed } = connected;
    const { installation, images, subnets, isolation, log } = options;
    const names = new Names(installation);
    const registries = new Registries(docker, {
      known: options.knownImages ?? unknownImages(),
      given: options.givenImages ?? [],
    });
    this.#docker = docker;
    this.#agent = agent;
    this.#names = names;
    this.#images = new Images({ docker, names, registries, defaultRef: images.workspace });
    this.#supervisorVolume = images.supervisorVolume;
    const { trustId = null, supervisorVolume } = images;
    this.#builds = {
      trust: trustId === null ? null : { id: trustId, volume: supervisorVolume },
      limits: options.buildLimits ?? usualBuildLimits,
    };
    const helperImage = images.helper;
    const { resolvConf } = options;
    const ending = new Set<Promise<void>>();
    this.#sandboxes = {
      docker,
      names,
      helperImage,
      range: subnets,
      allowed,
      isolation,
      resolvConf,
      ready: new Map(),
      ahead: new Map(),
      taking: new Map(),
      ownRemovals: new Set(),
      ending,
      log,
    };
    this.#jobs = {
      docker,
      names,
      helperImage,
      run: randomIds.id(),
      ending,
      prepared: new Map(),
      log,
    };
  }

  ensureImage(ref: string, options: ImageOptions): Promise<ImageFacts> {
    const { user = null, reader } = options;
    return guard(options.signal, () => this.#images.ensure(ref, { user, reader }, options));
  }

  buildImage(
    request: ImageBuildRequest,
    options: StepOptions,
  ): Promise<{ readonly ref: string; readonly built: boolean }> {
    const { docker, names, run } = this.#jobs;
    return guard(options.signal, async () => {
      const sandboxId = await ownSandbox(docker, this.#filters(request.owner));
      const ensureImage = (ref: string, within: StepOptions): Promise<ImageFacts> =>
        this.#images.ensure(ref, { user: null, reader: request.reader }, within);
      const parts = { docker, names, run, sandboxId, ensureImage, ...this.#builds };
      return buildImage(parts, request, options);
    });
  }

  readFolder(
    which: { readonly owner: Owner; readonly volume: string; readonly path: string },
    options: StepOptions,
  ): Promise<Readable> {
    return guard(options.signal, () => readFolder(this.#jobs, which, options));
  }

  ensureStorage(spec: WorkspaceSpec, options: StepOptions): Promise<void> {
    return guard(options.signal, async () => {
      await Promise.all([
        removeStaleJobs(this.#jobs, spec.owner),
        ensureVolumes(this.#docker, this.#names, spec),
      ]);
    });
  }

  ensureSandbox(
    spec: WorkspaceSpec,
    options: StepOptions & { readonly service?: string },
  ): Promise<void> {
    const { service: name } = options;
    return guard(options.signal, () => {
      if (name === undefined) return ensureSandboxes(this.#sandboxes, spec, options);
      const service = mirroredService(spec.plan, name);
      return ensureSandboxOf(this.#sandboxes, { spec, service }, options);
    });
  }

  prepareSandboxes(
    owner: Owner,
    options: StepOptions & { readonly preparation: Preparation },
  ): Promise<void> {
    return guard(options.signal, () => prepareSandboxes(this.#sandboxes, owner, options));
  }

  countPrepared(plan: WorkspacePlan, preparation: Preparation): number {
    return countPrepared(plan, preparation);
  }

  ensureMembers(
    spec: WorkspaceSpec,
    setup: SupervisorSetup,
    options: StepOptions,
  ): Promise<{ readonly address: SupervisorAddress; readonly boot: string }> {
    const { docker, names } = this.#jobs;
    const [images, supervisorVolume] = [this.#images, this.#supervisorVolume];
    const parts = { docker, names, images, supervisorVolume };
    return guard(options.signal, () => ensureMembers(parts, { spec, setup }, options));
  }

  ensureService(
    spec: WorkspaceSpec,
    which: ServiceStart,
    options: StepOptions,
  ): Promise<{ readonly started: boolean }> {
    const parts = this.#serviceParts();
    return guard(options.signal, () => ensureService(parts, { spec, which }, options));
  }

  changeFiles(which: ServiceOf, changes: FileChanges, { signal }: StepOptions): Promise<void> {
    return guard(signal, () => changeFiles(this.#serviceParts(), { which, changes }, signal));
  }

  renewService(
    which: ServiceOf,
    files: readonly ChangedFile[],
    options: StepOptions & { graceMs: number },
  ): Promise<{ readonly started: boolean; readonly killed: boolean }> {
    const parts = { docker: this.#docker, names: this.#names, ready: this.#sandboxes.ready };
    return guard(options.signal, () => renewService(parts, which, { ...options, files }));
  }

  stopService(which: ServiceOf, options: StepOptions & { graceMs: number }): Promise<void> {
    return guard(options.signal, () => stopService(this.#serviceParts(), which, options));
  }

  execInService(
    which: ServiceOf & { readonly command: readonly string[] },
    options: StepOptions,
  ): Promise<number> {
    return guard(options.signal, () => execInService(this.#serviceParts(), which, options));
  }

  supervisorAddress(owner: Owner): Promise<SupervisorAddress | null> {
    return guard(null, () => supervisorAddress(this.#docker, this.#names, owner));
  }

  enterService(
    which: { readonly owner: Owner; readonly service: string },
    setup: EnterSetup,
    { signal }: StepOptions,
  ): Promise<{ readonly address: SupervisorAddress; readonly boot: string }> {
    const parts = { docker: this.#docker, names: this.#names };
    return guard(signal, () => enterService(parts, which, { setup, signal }));
  }

  logs(
    which: { readonly owner: Owner; readonly service: string },
    options: LogOptions,
  ): AsyncIterable<readonly LogEntry[]> {
    return readLogs({ docker: this.#docker, names: this.#names }, which, options);
  }

  stop(owner: Owner, options: StepOptions & { graceMs: number }): Promise<void> {
    return guard(options.signal, () => stopOwner(this.#jobs, owner, options));
  }

  remove(owner: Owner, options: StepOptions & { storage: boolean }): Promise<void> {
    const parts = { jobs: this.#jobs, sandboxes: this.#sandboxes };
    return guard(options.signal, () => removeOwner(parts, owner, options));
  }

  observe(owner: Owner): Promise<Observed> {
    return guard(null, () => observe(this.#observing, owner));
  }

  observeService(which: ServiceOf): Promise<ObservedMember | null> {
    return guard(null, () => observeService(this.#observing, which));
  }

  get #observing(): ObserveParts {
    return { docker: this.#docker, names: this.#names, images: this.#images };
  }

  owners(): Promise<Owner[]> {
    return guard(null, () => owners(this.#docker, this.#names));
  }

  runJob(job: Job, options: StepOptions): Promise<JobResult> {
    return guard(options.signal, () => runJob(this.#jobs, job, options.signal));
  }

  runToEnd(
    spec: WorkspaceSpec,
    which: { readonly name: string; readonly service: PlannedService },
    options: StepOptions,
  ): Promise<{ readonly exitCode: number; readonly output: string }> {
    const { docker, names, run } = this.#jobs;
    const [images, supervisorVolume] = [this.#images, this.#supervisorVolume];
    const defaults = this.#builds.trust === null ? {} : trustEnvironment;
    const parts = { docker, names, run, images, supervisorVolume, defaults };
    return guard(options.signal, () => runToEnd(parts, { spec, ...which }, options));
  }

  prepareJob(job: Omit<Job, "input">, options: StepOptions): Promise<void> {
    return guard(options.signal, () => prepareJob(this.#jobs, job, options.signal));
  }

  watch(signal: AbortSignal, onGap?: () => void): AsyncIterable<EngineEvent> {
    const { docker, names, ownRemovals, log } = this.#sandboxes;
    return watchEvents({ docker, names, ownRemovals, log, onGap }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    endPrepared(this.#jobs);
    await Promise.all(this.#jobs.ending);
    await removeWaitingNetwork(this.#docker, this.#names).catch((error: unknown) =>
      this.#jobs.log.warn({ err: error }, "the network of what was made ahead was not removed"),
    );
    this.#agent.destroy();
  }

  #serviceParts(): ServiceParts {
    const { docker, names, run } = this.#jobs;
    const [images, sandboxes] = [this.#images, this.#sandboxes];
    return { docker, names, run, images, sandboxes, supervisorVolume: this.#supervisorVolume };
  }

  #filters(owner: Owner): { label: string[] } {
    return { label: this.#names.filter(owner) };
  }
}

/** The one boundary at which what the client throws becomes an OneloopError. */
async function guard<Result>(
  signal: AbortSignal | null,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    signal?.throwIfAborted();
    return await work();
  } catch (error) {
    throw toEngineError(error, signal);
  }
}
