import type { WorkspaceRow, WorkspaceStore } from "../../db/workspaces.ts";
import type { ServiceStore } from "../../db/workspace-services.ts";
import type { Engine } from "../../engine/engine.ts";
import type { ImageReader } from "../../engine/images.ts";
import type { ObservedMember } from "../../engine/observed.ts";
import type { Owner, WorkspaceSpec } from "../../engine/steps.ts";
import { fillService, missingVariables, type Values } from "../../plan/mirror/fill.ts";
import type { FilesMessage, WatchedFolder } from "../../protocol/control.ts";
import { OneloopError, toOneloopError } from "../../protocol/errors.ts";
import type { Probe } from "../../protocol/service.ts";
import { controlPlaneActor } from "../../protocol/supervisor.ts";
import type { Supervisors } from "../../terminals/supervisors.ts";
import type { Log } from "../../util/log.ts";
import { Builds } from "../builds.ts";
import { withDeadline, type StepDeadlines } from "../reconciler-deadlines.ts";
import type { RunStep } from "../reconciler-turn.ts";
import { check, type CheckResult } from "./checks.ts";
import { cycles, untilReached } from "./dependencies.ts";
import type { Gate } from "./gate.ts";
import { mirroredServices, type Mirrored } from "./mirrored.ts";
import { notesOf, type Note } from "./notes.ts";
import { ProductionNames } from "./production-names.ts";
import type { SyncShown } from "./service-sync.ts";
import { WorkspaceSync } from "./workspace-sync.ts";
import { probe } from "./probes.ts";
import { filesKey, readServiceFiles, type ReadArchive } from "./service-files.ts";
import { ServiceRun, type RunParts } from "./service-run.ts";
import { Statuses } from "./statuses.ts";
import type { Timers } from "./timers.ts";
import { listed } from "./words.ts";

/** What a program has to end itself where production does not say. */
const stopGraceMs = 10_000;
/** What services call each other by is there before they start; of hundreds it is for the first. */
const namesPatienceMs = 10_000;
/** After a failure that is not a service's own. */
const retryAfterMs = 5000;

export interface MirrorParts {
  readonly engine: Engine;
  readonly store: Pick<WorkspaceStore, "addEvent">;
  readonly services: ServiceStore;
  readonly supervisors: Pick<Supervisors, "dial" | "exec">;
  /** Has folders of a workspace watched, in the place of those before. */
  readonly watch: (owner: Owner, folders: readonly WatchedFolder[]) => void;
  readonly archive: ReadArchive;
  /** The user's variables, and secrets of this workspace, as they are now. */
  readonly values: (row: WorkspaceRow) => Promise<Values>;
  /** All services that need not wait for others have been started, or have failed. */
  readonly onStarted?: ((id: string) => void) | undefined;
  /** As whom a workspace's images are read; without it nobody is asked who may. */
  readonly readerOf?: ((row: WorkspaceRow) => ImageReader) | undefined;
  readonly deadlines: StepDeadlines;
  readonly timers: Timers;
  readonly log: Log;
}

/** How much is done at once, of all workspaces together. */
export interface MirrorGates {
  readonly images: Gate;
  readonly sandboxes: Gate;
  readonly starts: Gate;
  readonly probes: Gate;
}

/** Production's services of one running workspace. */
export class WorkspaceMirror {
  readonly #parts: MirrorParts;
  readonly #gates: MirrorGates;
  readonly #row: WorkspaceRow;
  readonly #spec: WorkspaceSpec;
  readonly #statuses: Statuses;
  readonly #builds: Builds;
  readonly #mirrored: readonly Mirrored[];
  readonly #runs: ReadonlyMap<string, ServiceRun>;
  readonly #sync: WorkspaceSync;
  readonly #ended = new AbortController();
  #settled: Promise<void> | null = null;
  readonly #rebuilding = new Map<string, Promise<void>>();
  readonly #note: Note;
  readonly #names: ProductionNames;
  /** Production's names lead somewhere, or have been waited for. */
  #named: Promise<void> = Promise.resolve();

  constructor(row: WorkspaceRow, parts: MirrorParts, gates: MirrorGates) {
    this.#parts = parts;
    this.#gates = gates;
    this.#row = row;
    const owner = { kind: "workspace", id: row.id } as const;
    this.#spec = { owner, name: row.name, plan: row.plan, reader: parts.readerOf?.(row) };
    this.#statuses = new Statuses(row.id, { ...parts, store: parts.services });
    this.#mirrored = mirroredServices(row.plan);
    this.#note = notesOf(parts, row.id);
    this.#names = new ProductionNames(this.#spec, this.#mirrored, {
      engine: parts.engine,
      gate: gates.sandboxes,
      step: this.#step,
      note: this.#note,
    });
    this.#builds = new Builds(parts, { row, spec: this.#spec }, this.#step);
    this.#runs = new Map(
      this.#mirrored.map((service) => [
        service.name,
        new ServiceRun(service, this.#runParts(service)),
      ]),
    );
    this.#sync = new WorkspaceSync(row, {
      ...parts,
      builds: this.#builds,
      statuses: this.#statuses,
      runs: this.#runs,
      step: this.#step,
      rebuild: (service, why) => this.#rebuildOnce(service, why),
      note: this.#note,
    });
  }

  /** The workspace will run in a moment, and its network does: what takes long begins, after that. */
  networkReady(after?: Promise<void>): void {
    this.#names.makeAhead(after);
  }

  /** The workspace runs. Called again: it is looked at. */
  running(): void {
    if (this.#settled === null) this.#settled = this.#run();
    else this.look(null);
  }

  /** Whether its services are run, or have been. */
  get isRunning(): boolean {
    return this.#settled !== null;
  }

  filesChanged(files: FilesMessage): void {
    this.#sync.changed(files);
  }

  synced(service: string): SyncShown[] {
    return this.#sync.shown(service);
  }

  /** The engine said something of a service; null: of any of them, or it was away. */
  look(service: string | null): void {
    for (const { name, mirror } of this.#mirrored) {
      // What is a part of another is in its network.
      const isMeant = service === null || name === service || mirror.partOf === service;
      if (isMeant) this.#runs.get(name)?.look();
    }
  }

  /** Starts a service again, after what prepares it. */
  restart(service: string): void {
    for (const { name, mirror } of this.#mirrored) {
      if (mirror.role === "init" && mirror.partOf === service) this.#runs.get(name)?.restart();
    }
    this.#runs.get(service)?.restart();
  }

  /** Builds a service's image from the workspace's present files; then starts it again. */
  rebuild(service: string): void {
    if (!this.#rebuilding.has(service)) void this.#rebuildOnce(service, null);
  }

  /** After one that goes on now. @param why files changed; null: a person wants it. */
  #rebuildOnce(service: string, why: string | null): Promise<void> {
    const before = this.#rebuilding.get(service) ?? Promise.resolve();
    const rebuilding = before
      .then(() => this.#rebuild(service, why))
      .finally(() => {
        if (this.#rebuilding.get(service) === rebuilding) this.#rebuilding.delete(service);
      });
    this.#rebuilding.set(service, rebuilding);
    return rebuilding;
  }

  /** Nothing is started from here on; what runs goes on. */
  async end(): Promise<void> {
    this.#ended.abort();
    await Promise.all([this.#settled, this.#names.end()]);
    await Promise.all(this.#rebuilding.values());
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    const keeping = this.#statuses.keep(signal);
    const syncing = this.#sync.keep(signal);
    let starting: Promise<unknown> = Promise.resolve();
    try {
      const before = await this.#resumeAtLast(signal);
      const inCycles = cycles(this.#mirrored);
      for (const [name, reason] of inCycles) {
        this.#statuses.set(name, { state: "failed", reason });
      }
      const runs = [...this.#runs.values()].filter(({ name }) => !inCycles.has(name));
      starting = this.#makeNames(new Set(before.keys()), signal).then(() =>
        this.#tellStarted(signal),
      );
      await Promise.all(runs.map((run) => run.run(before.get(run.name), signal)));
    } catch (error) {
      if (signal.aborted) return;
      const { log } = this.#parts;
      log.error({ err: error, workspace: this.#row.id }, "production's services are not run");
      this.#note("error", toOneloopError(error).code, toOneloopError(error).message);
    } finally {
      await Promise.all([keeping, syncing, starting]);
    }
  }

  async #tellStarted(signal: AbortSignal): Promise<void> {
    await this.#statuses.untilAtRest(signal);
    this.#parts.onStarted?.(this.#row.id);
  }

  /** Production's names lead somewhere before the first of its services asks for one. */
  #makeNames(there: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const making = this.#names.makeAll(there);
    const made = new AbortController();
    const until = AbortSignal.any([signal, made.signal]);
    const patience = this.#parts.timers.sleep(namesPatienceMs, until).catch(() => undefined);
    this.#named = Promise.race([making, patience]).then(() => made.abort());
    return making;
  }

  /** A database or an engine that does not answer now is asked again. */
  async #resumeAtLast(signal: AbortSignal): Promise<Map<string, ObservedMember>> {
    const { timers, log } = this.#parts;
    for (;;) {
      try {
        return await this.#resume();
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ err: error, workspace: this.#row.id }, "production's services wait");
        await timers.sleep(retryAfterMs, signal);
      }
    }
  }

  /** What was so far before this control plane began; at a new start, what is missing is said. */
  async #resume(): Promise<Map<string, ObservedMember>> {
    const { services, engine } = this.#parts;
    const rows = await services.list(this.#row.id);
    if (rows.length === 0) {
      for (const { name } of this.#mirrored) this.#statuses.set(name, { state: "waiting" });
      await this.#tellMissing();
      return new Map();
    }
    for (const { workspaceId: _of, ...status } of rows) this.#statuses.restore(status);
    const { members } = await engine.observe(this.#spec.owner);
    const before = new Map(members.map((member) => [member.service, member]));
    const started = new Set(rows.map(({ service }) => service));
    for (const { name, image } of this.#mirrored) {
      const ref = before.get(name)?.runs.image;
      if (started.has(name) && ref !== undefined) this.#builds.remember(image, ref);
    }
    return before;
  }

  async #tellMissing(): Promise<void> {
    const { plan } = this.#row;
    const { variables } = await this.#parts.values(this.#row);
    const missing = missingVariables(plan, variables);
    if (missing.length > 0) {
      this.#note(
        "warning",
        "variables-missing",
        `Production's services ask for ${listed(missing)}, which you have not set: each runs without. \`loop variables set NAME VALUE\` sets one; then restart what needs it.`,
      );
    }
    const made = (plan.mirror?.secrets ?? []).filter(
      ({ variable }) => !Object.hasOwn(variables, variable),
    );
    if (made.length > 0) {
      const names = listed(made.map(({ variable }) => variable));
      this.#note(
        "info",
        "secrets-made",
        `Production's secrets are not copied: values of this workspace's own stand in for them. A variable of yours gives its own value: ${names}.`,
      );
    }
  }

  #runParts(service: Mirrored): RunParts {
    const { timers, engine } = this.#parts;
    const { name, mirror } = service;
    const of = { owner: this.#spec.owner, service: name };
    return {
      timers,
      statuses: this.#statuses,
      untilReached: (tell, signal) =>
        untilReached(mirror.dependsOn, {
          find: (other) => this.#runs.get(other) ?? null,
          tell,
          signal,
        }),
      start: (options, signal) => this.#start(service, options, signal),
      observe: async () => (await engine.observeService(of)) ?? undefined,
      probe: ({ tell, was }, signal) =>
        probe(
          mirror,
          { timers, tell, was, check: (one, until) => this.#check(service, one, until) },
          signal,
        ),
      stop: (signal) => {
        const graceMs =
          mirror.stopGraceSeconds === null ? stopGraceMs : mirror.stopGraceSeconds * 1000;
        return this.#step("stop", signal, (options) =>
          engine.stopService(of, { ...options, graceMs }),
        );
      },
      note: this.#note,
    };
  }

  async #start(
    { name, image }: Mirrored,
    { again, tell }: Parameters<RunParts["start"]>[0],
    signal: AbortSignal,
  ): Promise<void> {
    const { engine, archive, values } = this.#parts;
    const { plan } = this.#spec;
    const filled = await values(this.#row);
    const ref = await this.#gates.images.run(signal, async () => {
      if (this.#builds.has(image)) tell({ state: "building" });
      // Others may wait for the same build: it is the workspace's.
      const until = this.#ended.signal;
      const built = await this.#builds.ensure(image, { ready: Promise.resolve(), signal: until });
      signal.throwIfAborted();
      await this.#step("image", signal, (options) =>
        engine.ensureImage(built, {
          ...options,
          reader: this.#spec.reader,
          onProgress: () => tell({ state: "pulling" }),
        }),
      );
      return built;
    });
    const changing = await this.#sync.folders(name, signal);
    await this.#named;
    tell({ state: "starting" });
    const services = plan.services.map((one) =>
      one.name === name ? { ...fillService(one, filled), image: ref } : one,
    );
    const service = services.find((one) => one.name === name);
    if (service === undefined) throw new OneloopError("internal", `The plan has no ${name}.`);
    const { checkout } = plan;
    await this.#gates.starts.run(signal, () =>
      this.#step("start", signal, (options) =>
        engine.ensureService(
          { ...this.#spec, plan: { ...plan, services } },
          {
            service: name,
            filesKey: filesKey(service, checkout),
            readFiles: () =>
              readServiceFiles(service, { checkout, archive, signal: options.signal }),
            again,
            changing,
          },
          options,
        ),
      ),
    );
  }

  #check(service: Mirrored, one: Probe, signal: AbortSignal): Promise<CheckResult> {
    const { supervisors, engine } = this.#parts;
    const { owner, plan } = this.#spec;
    const { name, mirror } = service;
    // It is in the network of what it is a part of.
    const host = mirror.partOf ?? name;
    const target = { owner, actor: controlPlaneActor };
    return this.#gates.probes.run(signal, () =>
      check(
        one,
        {
          dial: (port) =>
            supervisors.dial(target, { host: host === plan.devService ? "localhost" : host, port }),
          exec: (command, until) =>
            engine.execInService({ owner, service: name, command }, { signal: until }),
        },
        signal,
      ),
    );
  }

  async #rebuild(service: string, why: string | null): Promise<void> {
    const { signal } = this.#ended;
    if (signal.aborted) return;
    const image = this.#mirrored.find(({ name }) => name === service)?.image ?? "";
    const before = this.#statuses.get(service);
    this.#statuses.set(service, { state: "building" });
    try {
      await this.#gates.images.run(signal, () => this.#builds.again(image, signal));
      if (why === null) this.restart(service);
      else this.#runs.get(service)?.renew({ why, prepare: null, onlyIfChanged: true });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toOneloopError(error);
      const reason = `It could not be built from the workspace's files; what was built before stays. ${message}`;
      if (this.#statuses.get(service)?.state === "building") {
        this.#statuses.set(service, { state: before?.state ?? "waiting", reason });
      }
      this.#note("error", code, `${service}: ${reason}`);
    }
  }

  readonly #step: RunStep = (step, signal, work) =>
    withDeadline({ step, ms: this.#parts.deadlines[step], signal }, (limited) =>
      work({ signal: limited }),
    );
}
