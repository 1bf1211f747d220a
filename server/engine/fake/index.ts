import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { OneloopError } from "../../protocol/errors.ts";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { PlannedService } from "../../protocol/service.ts";
import type { Engine, Preparation, SupervisorSetup } from "../engine.ts";
import type { ImageBuildRequest, ImageFacts, ImageOptions } from "../images.ts";
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
import {
  devServiceOf,
  homeVolume,
  isMirrored,
  memberSpecs,
  mirroredService,
  sourceVolume,
} from "../member-spec.ts";
import { readFakeFiles } from "./files.ts";
import { endAll, justStarted, observed } from "./held.ts";
import { FakeLog } from "./log.ts";
import { FakeWorld, key } from "./world.ts";

/**
 * The Engine in memory, for unit tests of what stands above it: the same steps in the same order
 * with the same refusals, and no process. The conformance suite runs against it too. What tests do to
 * it is FakeWorld's.
 */
export class FakeEngine extends FakeWorld implements Engine {
  readonly kind = "fake";

  async ensureImage(ref: string, options: ImageOptions): Promise<ImageFacts> {
    await this.begin("ensureImage", options.signal);
    return this.image(ref);
  }

  async buildImage(
    { archive, dockerfile, args, target }: ImageBuildRequest,
    options: StepOptions,
  ): Promise<{ readonly ref: string; readonly built: boolean }> {
    await this.begin("buildImage", options.signal);
    const hash = createHash("sha256").update(JSON.stringify([dockerfile, args, target]));
    for await (const piece of archive) hash.update(piece as Buffer);
    const ref = `oneloop-built/fake:${hash.digest("hex").slice(0, 32)}`;
    const built = !this.built.has(ref);
    this.built.add(ref);
    return { ref, built };
  }

  async readFolder(
    which: { readonly owner: Owner; readonly volume: string; readonly path: string },
    options: StepOptions,
  ): Promise<Readable> {
    await this.begin("readFolder", options.signal);
    return Readable.from([`${which.volume}/${which.path}`]);
  }

  async ensureStorage({ owner, plan }: WorkspaceSpec, options: StepOptions): Promise<void> {
    await this.begin("ensureStorage", options.signal);
    const { volumes } = this.hold(owner);
    volumes.add(homeVolume);
    if (devServiceOf(plan).sourcePath !== null) volumes.add(sourceVolume);
    for (const { name } of plan.volumes) volumes.add(name);
  }

  async ensureSandbox({ owner }: WorkspaceSpec, options: StepOptions): Promise<void> {
    await this.begin("ensureSandbox", options.signal);
    options.onPhase?.("network-made");
    options.onPhase?.("sandbox-made");
    this.hold(owner).sandbox = "running";
  }

  async prepareSandboxes(
    owner: Owner,
    options: StepOptions & { readonly preparation: Preparation },
  ): Promise<void> {
    await this.begin("prepareSandboxes", options.signal);
    this.hold(owner).sandbox = "running";
  }

  async prepareJob(_job: Omit<Job, "input">, options: StepOptions): Promise<void> {
    await this.begin("prepareJob", options.signal);
  }

  /** Here a name of production on the dev service makes its sandbox another. */
  countPrepared(plan: WorkspacePlan, { like, spares, several }: Preparation): number {
    const isForOne = like === null && spares === 0 && several === undefined;
    if (isForOne && plan.services.length > 1) return 0;
    const standsIn = (one: WorkspacePlan): boolean =>
      (devServiceOf(one).mirror?.names ?? []).length > 0;
    if (standsIn(plan) !== (like !== null && standsIn(like))) return 0;
    const made = (like?.services.length ?? 1) + spares;
    return Math.min(plan.services.length, made);
  }

  async ensureMembers(
    spec: WorkspaceSpec,
    setup: SupervisorSetup,
    options: StepOptions,
  ): Promise<{ readonly address: SupervisorAddress; readonly boot: string }> {
    await this.begin("ensureMembers", options.signal);
    const held = this.withSandbox(spec.owner);
    options.onPhase?.("members-made");
    const { plan } = spec;
    const services = plan.services.filter((service) => !isMirrored(plan, service));
    const images = new Map(services.map(({ name, image }) => [name, this.image(image)] as const));
    const dev = devServiceOf(plan).name;
    for (const [service, runs] of memberSpecs({ ...plan, services }, images, setup)) {
      const existing = held.members.get(service);
      const same = JSON.stringify(existing?.spec) === JSON.stringify(runs);
      if (same && existing?.state === "running") continue;
      if (service === dev) held.boot = `boot-${++this.boots}`;
      const log = same && existing !== undefined ? existing.log : new FakeLog();
      const made = { spec: runs, dev: service === dev, log, files: [], changes: [], filesKey: "" };
      held.members.set(service, { ...made, ...justStarted });
    }
    options.onPhase?.("dev-started");
    return { address: this.address(), boot: held.boot };
  }

  async ensureService(
    spec: WorkspaceSpec,
    { service, filesKey, readFiles, again }: ServiceStart,
    options: StepOptions,
  ): Promise<{ readonly started: boolean }> {
    await this.begin("ensureService", options.signal);
    // Its sandbox is its own.
    const held = this.hold(spec.owner);
    const planned = mirroredService(spec.plan, service);
    const images = new Map([[service, this.image(planned.image)]]);
    const [runs] = memberSpecs({ ...spec.plan, services: [planned] }, images, noSetup).values();
    if (runs === undefined) throw new Error("one service has one spec");
    const existing = held.members.get(service);
    const same =
      JSON.stringify(existing?.spec) === JSON.stringify(runs) && existing?.filesKey === filesKey;
    if (!same) {
      const files = await readFakeFiles(await readFiles());
      const made = { spec: runs, dev: false, log: new FakeLog(), files, changes: [], filesKey };
      if (existing?.state === "running") {
        this.finish(spec.owner, service, { member: existing, exitCode: 143 });
      }
      held.members.set(service, { ...made, ...justStarted });
      return { started: true };
    }
    if (existing.state === "running") {
      if (again !== true) return { started: false };
      this.finish(spec.owner, service, { member: existing, exitCode: 143 });
    }
    Object.assign(existing, justStarted);
    return { started: true };
  }

  async renewService(
    which: ServiceOf,
    files: readonly ChangedFile[],
    options: StepOptions & { graceMs: number },
  ): Promise<{ readonly started: boolean; readonly killed: boolean }> {
    await this.begin("renewService", options.signal);
    const { owner, service } = which;
    const held = this.held.get(key(owner));
    const member = held?.members.get(service);
    if (member === undefined) {
      throw new OneloopError("workspace-not-running", `${service} has no container.`);
    }
    if (files.length > 0) member.changes.push({ files, removed: [] });
    if (member.state === "running") this.finish(owner, service, { member, exitCode: 143 });
    const started = held?.sandbox === "running";
    if (started) Object.assign(member, justStarted);
    return { started, killed: false };
  }

  async stopService(
    { owner, service }: ServiceOf,
    options: StepOptions & { graceMs: number },
  ): Promise<void> {
    await this.begin("stopService", options.signal);
    const member = this.held.get(key(owner))?.members.get(service);
    if (member?.state === "running") this.finish(owner, service, { member, exitCode: 143 });
  }

  async execInService(
    which: ServiceOf & { readonly command: readonly string[] },
    options: StepOptions,
  ): Promise<number> {
    await this.begin("execInService", options.signal);
    const { owner, service } = which;
    if (this.held.get(key(owner))?.members.get(service)?.state !== "running") {
      throw new OneloopError("workspace-not-running", `${service} does not run.`);
    }
    return (await this.options.exec?.(which, options)) ?? 0;
  }

  async changeFiles(
    { owner, service }: ServiceOf,
    changes: FileChanges,
    options: StepOptions,
  ): Promise<void> {
    await this.begin("changeFiles", options.signal);
    const member = this.held.get(key(owner))?.members.get(service);
    if (member === undefined || (changes.removed.length > 0 && member.state !== "running")) {
      throw new OneloopError("workspace-not-running", `${service} does not run.`);
    }
    member.changes.push(changes);
  }

  async supervisorAddress(owner: Owner): Promise<SupervisorAddress | null> {
    await this.begin("supervisorAddress", null);
    const members = [...(this.held.get(key(owner))?.members.values() ?? [])];
    return members.some(({ dev, state }) => dev && state === "running") ? this.address() : null;
  }

  async enterService(
    { owner, service }: { readonly owner: Owner; readonly service: string },
    _setup: EnterSetup,
    options: StepOptions,
  ): Promise<{ readonly address: SupervisorAddress; readonly boot: string }> {
    await this.begin("enterService", options.signal);
    const members = this.held.get(key(owner))?.members;
    const member = members?.get(service);
    if (members === undefined || member?.state !== "running") {
      throw new OneloopError("workspace-not-running", `${service} does not run.`);
    }
    const { host, port } = this.address();
    const others = [...members.values()].filter(({ entered }) => entered !== null).length;
    member.entered ??= {
      address: this.options.address ?? { host, port: port + 1 + others },
      boot: `boot-${++this.boots}`,
    };
    return member.entered;
  }

  async *logs(
    { owner, service }: { readonly owner: Owner; readonly service: string },
    options: LogOptions,
  ): AsyncGenerator<readonly LogEntry[]> {
    await this.begin("logs", null);
    const member = this.held.get(key(owner))?.members.get(service);
    if (member === undefined) {
      throw new OneloopError("workspace-not-running", `${service} was not started yet.`);
    }
    yield* member.log.read(options, () => member.state === "running");
  }

  async stop(owner: Owner, options: StepOptions & { graceMs: number }): Promise<void> {
    await this.begin("stop", options.signal);
    const held = this.held.get(key(owner));
    options.onPhase?.("members-stopped");
    if (held !== undefined) endAll(held);
  }

  async remove(owner: Owner, options: StepOptions & { storage: boolean }): Promise<void> {
    await this.begin("remove", options.signal);
    const held = this.held.get(key(owner));
    if (held === undefined) return;
    held.sandbox = "missing";
    held.members.clear();
    options.onPhase?.("containers-removed");
    if (options.storage) held.volumes.clear();
    if (held.volumes.size === 0) this.held.delete(key(owner));
  }

  async observe(owner: Owner): Promise<Observed> {
    await this.begin("observe", null);
    const held = this.held.get(key(owner));
    return {
      sandbox: held?.sandbox ?? "missing",
      members: [...(held?.members ?? [])].map(([service, member]) => observed(service, member)),
      volumes: [...(held?.volumes ?? [])].sort(),
      leftovers: [],
    };
  }

  async observeService({ owner, service }: ServiceOf): Promise<ObservedMember | null> {
    await this.begin("observeService", null);
    const member = this.held.get(key(owner))?.members.get(service);
    return member === undefined ? null : observed(service, member);
  }

  async owners(): Promise<Owner[]> {
    await this.begin("owners", null);
    return [...this.held.values()].map(({ owner }) => owner);
  }

  async runJob(job: Job, options: StepOptions): Promise<JobResult> {
    await this.begin("runJob", options.signal);
    for (const mount of job.mounts) {
      if (mount.kind === "volume") this.hold(mount.owner).volumes.add(mount.volume);
    }
    return (await this.options.runJob?.(job, options)) ?? { exitCode: 0, stdout: "", stderr: "" };
  }

  async runToEnd(
    { owner }: WorkspaceSpec,
    which: { readonly name: string; readonly service: PlannedService },
    options: StepOptions,
  ): Promise<{ readonly exitCode: number; readonly output: string }> {
    await this.begin("runToEnd", options.signal);
    if (this.hold(owner).sandbox !== "running") {
      throw new OneloopError(
        "engine-failed",
        "The sandbox does not run. Start the workspace again.",
      );
    }
    this.image(which.service.image);
    return (await this.options.runToEnd?.(which, options)) ?? { exitCode: 0, output: "" };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** A mirrored service gets nothing of Oneloop's. */
const noSetup = { env: {} };
