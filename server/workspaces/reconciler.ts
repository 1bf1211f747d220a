import { setTimeout as delay } from "node:timers/promises";
import { databaseFailure } from "../db/database.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { EngineEvent } from "../engine/engine.ts";
import type { ImageReader } from "../engine/images.ts";
import type { Observed } from "../engine/observed.ts";
import type { Owner, WorkspaceSpec } from "../engine/steps.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { WorkspaceState } from "../protocol/workspace.ts";
import { Lifetime } from "../util/lifetime.ts";
import type { Log } from "../util/log.ts";
import { bringUp, type BringUpParts } from "./bring-up.ts";
import { givenUpSentence, OwnRestarts } from "./own-restarts.ts";
import type { StepDeadlines } from "./reconciler-deadlines.ts";
import { stepRunner, type RunStep, type Turn } from "./reconciler-turn.ts";
import { isMirrored } from "./mirror/mirrored.ts";
import { deadDevSentence, deadServices, lostEvent } from "./reconciler-words.ts";
import { assertTransition } from "./states.ts";
import { removeAll, stopAll, type TakeDownParts } from "./take-down.ts";
import { ToldEnds } from "./told-ends.ts";

/** A control plane that is gone for this long has lost its right to act. */
const leaseSeconds = 60;
/** Renewed well before it ends. */
const renewEveryMs = 20_000;
/** After a failure that is not the workspace's own: a database that restarts, a silent engine. */
const retryAfterMs = 5000;

/** What is done for a workspace while its supervisor answers. */
export interface InsideHooks {
  /** Before anybody works in it. */
  tellSetup(row: WorkspaceRow): Promise<void>;
  /** It is brought up, and its network is there: what it needs later may begin. */
  networkReady?(row: WorkspaceRow): void;
  /** It runs; called again whenever that was seen. */
  running(row: WorkspaceRow): void;
  /** It runs no more, or will not in a moment. */
  ended(id: string): Promise<void>;
}

export interface ReconcilerParts extends BringUpParts, TakeDownParts {
  /** As whom a workspace's images are read; without it nobody is asked who may. */
  readonly readerOf?: ((row: WorkspaceRow) => ImageReader) | undefined;
  readonly log: Log;
  /** Who holds the leases: the same after a restart of the same control plane. */
  readonly holder: string;
  readonly inside: InsideHooks;
  /** The engine said something of one of production's services: others start them, and watch them. */
  readonly onMirrored?: ((id: string, service: string) => void) | undefined;
  readonly deadlines?: StepDeadlines;
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
  readonly #step: RunStep;
  readonly #runs = new Map<string, Run>();
  readonly #lifetime = new Lifetime();
  readonly #ended = new AbortController();
  readonly #told: ToldEnds;
  readonly #restarts = new OwnRestarts();

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#step = stepRunner(parts);
    this.#told = new ToldEnds(parts.store);
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
  async #once(id: string, look: Look): Promise<boolean> {
    const row = await this.#parts.store.lease(id, this.#parts.holder, leaseSeconds);
    if (row === null) return false;
    const renewing = setInterval(() => {
      void this.#parts.store.renew(id, row.generation, leaseSeconds).catch(() => undefined);
    }, renewEveryMs);
    try {
      return await this.#act(row, look);
    } catch (error) {
      if (look.interrupted.aborted) return !this.#ended.signal.aborted;
      // That says nothing about the workspace, and could not be written down now: tried again later.
      if (databaseFailure(error) !== null) throw error;
      await this.#fail(row, toOneloopError(error));
      return false;
    } finally {
      clearInterval(renewing);
    }
  }

  async #act(row: WorkspaceRow, { interrupted, repair }: Look): Promise<boolean> {
    const turn: Turn = {
      row,
      spec: this.#specOf(row),
      interrupted,
      step: stepRunner({ ...this.#parts, services: row.plan.services.length }),
      record: (change) => this.#mustRecord(row, change),
    };
    if (repair || row.state === "deleting") this.#restarts.forget(row.id);
    switch (row.state) {
      case "starting":
        await this.#start(turn);
        return false;
      case "running":
        return this.#verify(row, repair);
      case "stopping":
        await this.#stop(turn);
        return row.desired === "running";
      case "deleting":
        await removeAll(this.#parts, turn);
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

  async #start(turn: Turn): Promise<void> {
    const { inside, onPhase } = this.#parts;
    this.#told.forget(turn.row.id);
    await bringUp(this.#parts, turn);
    await this.#to(turn.row, "running");
    onPhase?.("running-recorded");
    inside.running(turn.row);
  }

  async #stop(turn: Turn): Promise<void> {
    const { store, onPhase } = this.#parts;
    await stopAll(this.#parts, turn);
    onPhase?.("all-stopped");
    await this.#to(turn.row, "stopped");
    onPhase?.("stopped-recorded");
    await store.addEvent(turn.row.id, {
      level: "info",
      code: "stopped",
      message: "The workspace is stopped. Source and home are kept.",
    });
  }

  /**
   * What runs should still run. A dev service that does not is a failure; another service is told
   * of, and started again when a person asks; what an engine's crash ended is started again at once.
   */
  async #verify(row: WorkspaceRow, repair: boolean): Promise<boolean> {
    const { engine, inside, supervisors, store, log } = this.#parts;
    const { owner, plan } = this.#specOf(row);
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
      await this.#told.tellDead(row, dead, observed);
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
    if (!repair && !this.#restarts.mayRestart(row.id)) {
      await this.#fail(row, new OneloopError("container-exited", givenUpSentence));
      return false;
    }
    await this.#to(row, "starting");
    if (observed.sandbox !== "running") await store.addEvent(row.id, lostEvent(observed));
    return true;
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
      const { service } = event;
      if (event.kind === "out-of-memory") {
        if (service !== null) await this.#told.tellMemory(row, service);
      } else if (service !== null && isMirrored(row.plan, service)) {
        this.#parts.onMirrored?.(row.id, service);
      } else {
        this.kick(row.id);
      }
    } catch (error) {
      log.error({ err: error, workspace: event.owner.id }, "an engine event was not handled");
    }
  }

  #specOf(row: WorkspaceRow): WorkspaceSpec {
    const reader = this.#parts.readerOf?.(row);
    return { owner: ownerOf(row), name: row.name, plan: row.plan, reader };
  }
}

/** Why a workspace is looked at, and what ends the look. */
interface Look {
  readonly interrupted: AbortSignal;
  readonly repair: boolean;
}

export function ownerOf(row: { id: string }): Owner {
  return { kind: "workspace", id: row.id };
}
