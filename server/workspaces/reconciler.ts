import { setTimeout as delay } from "node:timers/promises";
import type { GrantSigner } from "../auth/grants.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type {
  Engine,
  EngineEvent,
  ImageFacts,
  Observed,
  Owner,
  StepOptions,
  SupervisorSetup,
  WorkspaceSpec,
} from "../engine/engine.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { WorkspaceState } from "../protocol/workspace.ts";
import { shortRef } from "../repo/ref-name.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { Lifetime } from "../util/lifetime.ts";
import type { Log } from "../util/log.ts";
import type { OnPhase } from "./phases.ts";
import {
  allOrNone,
  stepDeadlines,
  withDeadline,
  type Step,
  type StepDeadlines,
} from "./reconciler-deadlines.ts";
import {
  deadDevSentence,
  deadServiceEvent,
  deadServices,
  lostEvent,
  outOfMemoryEvent,
} from "./reconciler-words.ts";
import { checkOut, findUnsavedWork, isEmpty } from "./source.ts";
import { assertTransition } from "./states.ts";

/** A control plane that is gone for this long has lost its right to act. */
const leaseSeconds = 60;
/** Renewed well before it ends. */
const renewEveryMs = 20_000;
/** After a failure that is not the workspace's own: a database that restarts, a silent engine. */
const retryAfterMs = 5000;
/** A program that runs into its memory limit again and again is told of once in this time. */
const outOfMemoryEveryMs = 10_000;
/** What a program has to end itself; Docker's own default. */
const stopGraceMs = 10_000;

/** What is done for a workspace while its supervisor answers. */
export interface InsideHooks {
  /** Before anybody works in it. */
  tellSetup(row: WorkspaceRow): Promise<void>;
  /** It runs; called again whenever that was seen. */
  running(row: WorkspaceRow): void;
  /** It runs no more, or will not in a moment. */
  ended(id: string): Promise<void>;
}

export interface ReconcilerParts {
  readonly store: WorkspaceStore;
  readonly engine: Engine;
  readonly supervisors: Supervisors;
  readonly signer: GrantSigner;
  readonly log: Log;
  /** Who holds the leases: the same after a restart of the same control plane. */
  readonly holder: string;
  readonly inside: InsideHooks;
  /** The environment that Oneloop gives to a workspace's programs. */
  readonly environmentOf: (row: WorkspaceRow) => Pick<SupervisorSetup, "env" | "defaults">;
  readonly deadlines?: StepDeadlines;
  readonly onPhase?: OnPhase | undefined;
}

interface Run {
  again: boolean;
  /** A person asks: what ended by itself is started again. */
  repair: boolean;
  readonly step: { abort: AbortController };
  readonly ended: Promise<void>;
}

/**
 * Compares what users want (PostgreSQL) with what the engine holds, and acts, one idempotent step
 * at a time. It can be killed at any point: the next run looks again and goes on.
 */
export class Reconciler implements AsyncDisposable {
  readonly #parts: ReconcilerParts;
  readonly #runs = new Map<string, Run>();
  readonly #lifetime = new Lifetime();
  readonly #ended = new AbortController();
  /** The services of each workspace of which was told that they ended. */
  readonly #toldDead = new Map<string, Set<string>>();
  /** When was last told, of a service, that a program of it was ended for memory. */
  readonly #toldMemory = new Map<string, number>();

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#lifetime.defer(() => this.#ended.abort());
  }

  /**
   * Looks at every workspace once, and from now on at what the engine reports. What this
   * installation's engine holds of no known workspace is removed, but never its volumes.
   */
  async start(): Promise<void> {
    // Before anything is looked at: what ends after it was looked at is told.
    const watching = this.#watch();
    this.#lifetime.defer(() => watching);
    const owners = await this.#parts.engine.owners();
    const ids = await this.#kickAll();
    const prepared = await this.#parts.store.prepared();
    const known = new Set([...ids, ...prepared.map(({ id }) => id)]);
    for (const owner of owners) {
      if (owner.kind !== "workspace" || known.has(owner.id)) continue;
      this.#parts.log.warn({ workspace: owner.id }, "containers of no known workspace are removed");
      try {
        await this.#step("delete", this.#ended.signal, (options) =>
          this.#parts.engine.remove(owner, { ...options, storage: false }),
        );
      } catch (error) {
        // They harm nobody; the next start tries again.
        this.#parts.log.warn({ err: error, workspace: owner.id }, "they could not be removed");
      }
    }
  }

  /**
   * Looks at a workspace soon. `repair`: a person asks, and what ended by itself is started again.
   * `interrupt`, moreover, ends the step that runs: the wish has changed.
   */
  kick(id: string, options: { interrupt?: boolean; repair?: boolean } = {}): void {
    if (this.#ended.signal.aborted) return;
    const repair = options.repair === true || options.interrupt === true;
    const run = this.#runs.get(id);
    if (run !== undefined) {
      run.again = true;
      run.repair ||= repair;
      if (options.interrupt === true) run.step.abort.abort();
      return;
    }
    const step = { abort: new AbortController() };
    const ended = this.#runUntilSettled(id, step);
    const started: Run = { again: false, repair, step, ended };
    this.#runs.set(id, started);
  }

  /** Resolves when nothing is being done for a workspace, however that went. */
  async settled(id: string): Promise<void> {
    await this.#runs.get(id)?.ended;
  }

  /** Waits for running steps to end at the next safe point; everything goes on at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    for (const run of this.#runs.values()) run.step.abort.abort();
    await Promise.all([...this.#runs.values()].map((run) => run.ended));
    await this.#lifetime[Symbol.asyncDispose]();
  }

  async #runUntilSettled(id: string, step: Run["step"]): Promise<void> {
    // The run is in the map before its first step: a kick meanwhile is seen.
    await Promise.resolve();
    try {
      for (let more = true; more && !this.#ended.signal.aborted;) {
        const run = this.#runs.get(id);
        const repair = run?.repair ?? false;
        if (run !== undefined) Object.assign(run, { again: false, repair: false });
        step.abort = new AbortController();
        more = await this.#once(id, { interrupted: step.abort.signal, repair });
        if (this.#runs.get(id)?.again === true) more = true;
      }
    } catch (error) {
      this.#parts.log.error({ err: error, workspace: id }, "reconciling failed");
      this.#retryLater(id);
    } finally {
      const again = this.#runs.get(id)?.again === true;
      this.#runs.delete(id);
      if (again) this.kick(id);
    }
  }

  /** @returns whether there is more to do. */
  async #once(id: string, turn: Turn): Promise<boolean> {
    const row = await this.#parts.store.lease(id, this.#parts.holder, leaseSeconds);
    if (row === null) return false;
    const renewing = setInterval(() => {
      void this.#parts.store.renew(id, row.generation, leaseSeconds).catch(() => undefined);
    }, renewEveryMs);
    try {
      return await this.#act(row, turn);
    } catch (error) {
      if (turn.interrupted.aborted) return !this.#ended.signal.aborted;
      await this.#fail(row, toOneloopError(error));
      return false;
    } finally {
      clearInterval(renewing);
    }
  }

  async #act(row: WorkspaceRow, { interrupted, repair }: Turn): Promise<boolean> {
    switch (row.state) {
      case "starting":
        await this.#bringUp(row, interrupted);
        return false;
      case "running":
        return this.#verify(row, repair);
      case "stopping":
        await this.#stop(row, interrupted);
        return row.desired === "running";
      case "deleting":
        await this.#delete(row, interrupted);
        return false;
      case "stopped":
      case "failed":
        if (row.state === "stopped" && row.desired === "running") {
          return this.#to(row, "starting");
        }
        return false;
      default:
        return row.state satisfies never;
    }
  }

  async #bringUp(row: WorkspaceRow, interrupted: AbortSignal): Promise<void> {
    const { engine, signer, supervisors, store, onPhase } = this.#parts;
    const spec = specOf(row);
    this.#toldDead.delete(row.id);
    const note = (code: string, message: string): Promise<void> =>
      store.addEvent(row.id, { level: "info", code, message });
    const step = <Result>(
      name: Step,
      signal: AbortSignal,
      work: (options: StepOptions) => Promise<Result>,
    ): Promise<Result> => {
      const onProgress = (line: string): void => void note(name, line).catch(() => undefined);
      return this.#step(name, signal, (options) => work({ ...options, onProgress }));
    };
    const began = performance.now();
    const took = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;

    const dev = row.plan.services.find((service) => service.name === row.plan.devService);
    const others = row.plan.services.filter((service) => service !== dev);
    const source = async (devImage: Promise<ImageFacts>, signal: AbortSignal): Promise<void> => {
      await step("storage", signal, (options) => engine.ensureStorage(spec, options));
      onPhase?.("storage-made");
      const { checkout } = row.plan;
      if (checkout === null || row.checkedOut) return;
      const { user } = await devImage;
      for (const one of [checkout, ...(row.plan.projects ?? [])]) {
        const work = { owner: spec.owner, checkout: one, user };
        await step("checkout", signal, (options) => checkOut(engine, work, options));
      }
      onPhase?.("checkout-done");
      await this.#mustRecord(row, { checkedOut: true });
      await note("checked-out", `Checked out ${short(row)} at ${checkout.path} (${took()}).`);
    };
    const sandbox = async (signal: AbortSignal): Promise<void> => {
      await step("sandbox", signal, (options) => engine.ensureSandbox(spec, options));
      onPhase?.("sandbox-ready");
      await note("sandbox-ready", `The workspace's network and its rules are ready (${took()}).`);
    };
    await allOrNone(interrupted, (signal) => {
      const image = (ref: string, user: string | null): Promise<ImageFacts> =>
        step("image", signal, (options) => engine.ensureImage(ref, { ...options, user }));
      const devImage = image(dev?.image ?? "", dev?.user ?? null);
      const images = Promise.all([devImage, ...others.map((each) => image(each.image, null))]);
      const known = images.then(() => onPhase?.("images-known"));
      return [known, source(devImage, signal), sandbox(signal)];
    });

    const setup = { publicKey: signer.publicKey, ...this.#parts.environmentOf(row) };
    const { address, boot } = await step("start", interrupted, (options) =>
      engine.ensureMembers(spec, setup, options),
    );
    onPhase?.("members-started");
    supervisors.remember(spec.owner, address, boot);
    await this.#parts.inside.tellSetup(row);
    onPhase?.("setup-told");
    // The event first: who waits for the state has then seen it.
    await note("started", `The workspace is ready (${took()}).`);
    await this.#to(row, "running");
    onPhase?.("running-recorded");
    this.#parts.inside.running(row);
  }

  /**
   * What runs should still run. A dev service that does not is a failure; another service is told
   * of, and started again when a person asks; what an engine's crash ended is started again at once.
   */
  async #verify(row: WorkspaceRow, repair: boolean): Promise<boolean> {
    const { engine, inside, supervisors, store, log } = this.#parts;
    const { owner, plan } = specOf(row);
    let observed: Observed;
    try {
      observed = await engine.observe(owner);
    } catch (error) {
      // An engine that is silent now says nothing about the workspace, which may well run.
      log.warn({ err: error, workspace: row.id }, "the engine does not say what runs");
      this.#retryLater(row.id);
      return false;
    }
    const dev = observed.members.find((member) => member.service === plan.devService);
    const isUp = observed.sandbox === "running" && dev?.state === "running";
    const dead = deadServices(plan, observed);
    if (isUp && !(repair && dead.length > 0)) {
      inside.running(row);
      await this.#tellDead(row, { dead, observed });
      return false;
    }
    if (!isUp) {
      await inside.ended(row.id);
      supervisors.forget(owner);
    }
    if (observed.sandbox === "running" && !repair) {
      const failure = deadDevSentence(plan.devService, observed);
      await this.#fail(row, new OneloopError("container-exited", failure));
      return false;
    }
    await this.#to(row, "starting");
    if (observed.sandbox !== "running") await store.addEvent(row.id, lostEvent(observed));
    return true;
  }

  /** Each end of a service is told once. */
  async #tellDead(
    row: WorkspaceRow,
    { dead, observed }: { dead: readonly string[]; observed: Observed },
  ): Promise<void> {
    const told = this.#toldDead.get(row.id);
    this.#toldDead.set(row.id, new Set(dead));
    for (const service of dead) {
      if (told?.has(service) === true) continue;
      await this.#parts.store.addEvent(row.id, deadServiceEvent(service, observed));
    }
  }

  async #stop(row: WorkspaceRow, interrupted: AbortSignal): Promise<void> {
    const { engine, inside, supervisors, store, onPhase } = this.#parts;
    const { owner } = specOf(row);
    await inside.ended(row.id);
    supervisors.forget(owner);
    await this.#step("stop", interrupted, (options) =>
      engine.stop(owner, { ...options, graceMs: stopGraceMs }),
    );
    onPhase?.("all-stopped");
    await this.#to(row, "stopped");
    onPhase?.("stopped-recorded");
    await store.addEvent(row.id, {
      level: "info",
      code: "stopped",
      message: "The workspace is stopped. Source and home are kept.",
    });
  }

  async #delete(row: WorkspaceRow, interrupted: AbortSignal): Promise<void> {
    const { engine, inside, store, supervisors, onPhase } = this.#parts;
    const { owner } = specOf(row);
    await inside.ended(row.id);
    supervisors.forget(owner);
    await this.#step("stop", interrupted, (options) =>
      engine.stop(owner, { ...options, graceMs: stopGraceMs }),
    );
    const { checkout } = row.plan;
    if (!row.deleteForced && row.checkedOut && checkout !== null) {
      // Asked again now that nothing runs: a program may have written since the user was asked.
      const work = await this.#step("delete", interrupted, (options) =>
        findUnsavedWork(engine, { owner, checkout }, options),
      );
      onPhase?.("unsaved-work-asked");
      if (!isEmpty(work)) {
        await store.addEvent(row.id, {
          level: "warning",
          code: "unsaved-work",
          message: "Not deleted: work appeared that is not pushed. The workspace is stopped.",
        });
        await this.#mustRecord(row, { state: "stopped", desired: "stopped" });
        return;
      }
    }
    await this.#step("delete", interrupted, (options) =>
      engine.remove(owner, { ...options, storage: true }),
    );
    onPhase?.("all-removed");
    await store.forget(row.id, row.generation);
    onPhase?.("row-forgotten");
  }

  /** Every step has a deadline, a cancel, and says how far it came. */
  #step<Result>(
    step: Step,
    signal: AbortSignal,
    work: (options: StepOptions) => Promise<Result>,
  ): Promise<Result> {
    const { deadlines = stepDeadlines, onPhase } = this.#parts;
    return withDeadline({ step, ms: deadlines[step], signal }, (limited) =>
      work({ signal: limited, onPhase }),
    );
  }

  #retryLater(id: string): void {
    const signal = this.#ended.signal;
    delay(retryAfterMs, undefined, { signal }).then(
      () => this.kick(id),
      () => undefined,
    );
  }

  async #fail(row: WorkspaceRow, failure: OneloopError): Promise<void> {
    const { log, store } = this.#parts;
    log.warn({ workspace: row.id, code: failure.code, cause: failure.cause }, failure.message);
    const error = { code: failure.code, message: failure.message };
    const recorded = await store.record(row.id, row.generation, { state: "failed", error });
    if (recorded) await store.addEvent(row.id, { level: "error", ...error });
  }

  /** @returns true, for the callers that go on with the new state. */
  async #to(row: WorkspaceRow, state: WorkspaceState): Promise<true> {
    assertTransition(row.state, state);
    await this.#mustRecord(row, { state, error: null });
    return true;
  }

  /** A generation that is no longer ours ends the run: somebody wished otherwise meanwhile. */
  async #mustRecord(
    row: WorkspaceRow,
    change: Parameters<WorkspaceStore["record"]>[2],
  ): Promise<void> {
    if (await this.#parts.store.record(row.id, row.generation, change)) return;
    this.kick(row.id, { interrupt: true });
    throw new OneloopError("cancelled", "The workspace was asked for something else meanwhile.");
  }

  async #watch(): Promise<void> {
    const { engine, log } = this.#parts;
    const lookAgain = (): void => {
      this.#kickAll().catch((error: unknown) => log.error({ err: error }, "nothing was looked at"));
    };
    for await (const event of engine.watch(this.#ended.signal, lookAgain)) await this.#see(event);
  }

  async #kickAll(): Promise<string[]> {
    const ids = await this.#parts.store.ids();
    for (const id of ids) this.kick(id);
    return ids;
  }

  async #see(event: EngineEvent): Promise<void> {
    if (event.owner.kind !== "workspace") return;
    const { store, log } = this.#parts;
    try {
      const row = await store.byId(event.owner.id);
      // While it starts, what ends is looked at afterwards; in other states ends are our own doing.
      if (row === null || !(row.state === "running" || row.state === "starting")) return;
      if (event.kind === "out-of-memory") await this.#tellMemory(row, event.service);
      else this.kick(row.id);
    } catch (error) {
      log.error({ err: error, workspace: event.owner.id }, "an engine event was not handled");
    }
  }

  async #tellMemory(row: WorkspaceRow, service: string | null): Promise<void> {
    if (service === null) return;
    const key = `${row.id}/${service}`;
    const now = performance.now();
    if (now - (this.#toldMemory.get(key) ?? -Infinity) < outOfMemoryEveryMs) return;
    this.#toldMemory.set(key, now);
    await this.#parts.store.addEvent(row.id, outOfMemoryEvent(service));
  }
}

interface Turn {
  readonly interrupted: AbortSignal;
  readonly repair: boolean;
}

export function ownerOf(row: { id: string }): Owner {
  return { kind: "workspace", id: row.id };
}

function specOf(row: WorkspaceRow): WorkspaceSpec {
  return { owner: ownerOf(row), name: row.name, plan: row.plan };
}

function short(row: WorkspaceRow): string {
  const commit = row.commit.slice(0, 12);
  return row.ref === null ? commit : `${shortRef(row.ref)} (${commit})`;
}
