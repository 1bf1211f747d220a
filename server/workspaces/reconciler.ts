import type { GrantSigner } from "../auth/grants.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type {
  Engine,
  EngineEvent,
  Observed,
  Owner,
  SupervisorSetup,
  WorkspaceSpec,
} from "../engine/engine.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { WorkspaceState } from "../protocol/workspace.ts";
import { cacheKey } from "../repo/repositories.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { Lifetime } from "../util/lifetime.ts";
import type { Log } from "../util/log.ts";
import { checkOut, findUnsavedWork, isEmpty } from "./source.ts";
import { assertTransition } from "./states.ts";

/** A control plane that is gone for this long has lost its right to act. */
const leaseSeconds = 60;
/** Renewed well before it ends. */
const renewEveryMs = 20_000;
/** No state can hang: a start that takes longer than this is an error that says so. */
const startDeadlineMs = 20 * 60 * 1000;
const stopDeadlineMs = 2 * 60 * 1000;
/** What a program has to end itself; Docker's own default. */
const stopGraceMs = 10_000;

export interface ReconcilerParts {
  readonly store: WorkspaceStore;
  readonly engine: Engine;
  readonly supervisors: Supervisors;
  readonly signer: GrantSigner;
  readonly log: Log;
  /** Who holds the leases: the same after a restart of the same control plane. */
  readonly holder: string;
  /** The environment that Oneloop gives to a workspace's programs. */
  readonly environmentOf: (row: WorkspaceRow) => Pick<SupervisorSetup, "env" | "defaults">;
}

interface Run {
  again: boolean;
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

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#lifetime.defer(() => this.#ended.abort());
  }

  /**
   * Looks at every workspace once, and from now on at what the engine reports. What this
   * installation's engine holds of no known workspace is removed, but never its volumes.
   */
  async start(): Promise<void> {
    const owners = await this.#parts.engine.owners();
    const ids = await this.#parts.store.ids();
    for (const id of ids) this.kick(id);
    const prepared = await this.#parts.store.prepared();
    const known = new Set([...ids, ...prepared.map(({ id }) => id)]);
    for (const owner of owners) {
      if (owner.kind !== "workspace" || known.has(owner.id)) continue;
      this.#parts.log.warn({ workspace: owner.id }, "containers of no known workspace are removed");
      const signal = deadline(this.#ended.signal, stopDeadlineMs);
      await this.#parts.engine.remove(owner, { signal, storage: false });
    }
    const watching = this.#watch();
    this.#lifetime.defer(() => watching);
  }

  /** Looks at a workspace soon. `interrupt` ends the step that runs: the wish has changed. */
  kick(id: string, options: { interrupt?: boolean } = {}): void {
    if (this.#ended.signal.aborted) return;
    const run = this.#runs.get(id);
    if (run !== undefined) {
      run.again = true;
      if (options.interrupt === true) run.step.abort.abort();
      return;
    }
    const step = { abort: new AbortController() };
    const started: Run = { again: false, step, ended: this.#runUntilSettled(id, step) };
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
        if (run !== undefined) run.again = false;
        step.abort = new AbortController();
        more = await this.#once(id, step.abort.signal);
        if (this.#runs.get(id)?.again === true) more = true;
      }
    } catch (error) {
      this.#parts.log.error({ err: error, workspace: id }, "reconciling failed");
    } finally {
      const again = this.#runs.get(id)?.again === true;
      this.#runs.delete(id);
      if (again) this.kick(id);
    }
  }

  /** @returns whether there is more to do. */
  async #once(id: string, interrupted: AbortSignal): Promise<boolean> {
    const row = await this.#parts.store.lease(id, this.#parts.holder, leaseSeconds);
    if (row === null) return false;
    const renewing = setInterval(() => {
      void this.#parts.store.renew(id, row.generation, leaseSeconds).catch(() => undefined);
    }, renewEveryMs);
    try {
      return await this.#act(row, interrupted);
    } catch (error) {
      if (interrupted.aborted) return !this.#ended.signal.aborted;
      await this.#fail(row, explain(error, row));
      return false;
    } finally {
      clearInterval(renewing);
    }
  }

  async #act(row: WorkspaceRow, interrupted: AbortSignal): Promise<boolean> {
    switch (row.state) {
      case "starting":
        await this.#bringUp(row, deadline(interrupted, startDeadlineMs));
        return false;
      case "running":
        return this.#verify(row);
      case "stopping":
        await this.#stop(row, deadline(interrupted, stopDeadlineMs));
        return row.desired === "running";
      case "deleting":
        await this.#delete(row, deadline(interrupted, stopDeadlineMs));
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

  async #bringUp(row: WorkspaceRow, signal: AbortSignal): Promise<void> {
    const { engine, signer, supervisors, store } = this.#parts;
    const spec = specOf(row);
    const note = (code: string, message: string): Promise<void> =>
      store.addEvent(row.id, { level: "info", code, message });
    const progress = (code: string) => ({
      signal,
      onProgress: (line: string) => void note(code, line).catch(() => undefined),
    });
    const began = performance.now();
    const took = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;

    const dev = row.plan.services.find((service) => service.name === row.plan.devService);
    const others = row.plan.services.filter((service) => service !== dev);
    const devImage = engine.ensureImage(dev?.image ?? "", {
      ...progress("image"),
      user: dev?.user ?? null,
    });
    const images = Promise.all([
      devImage,
      ...others.map((service) => engine.ensureImage(service.image, progress("image"))),
    ]);
    // A rejection is seen where it is awaited; not before that is no defect.
    images.catch(() => undefined);

    const source = async (): Promise<void> => {
      await engine.ensureStorage(spec, progress("storage"));
      const { checkout } = row.plan;
      if (checkout === null || row.checkedOut) return;
      const { user } = await devImage;
      const cacheRepository = cacheKey(row.repository);
      await checkOut(
        engine,
        { owner: spec.owner, checkout, cacheRepository, user },
        progress("checkout"),
      );
      await this.#mustRecord(row, { checkedOut: true });
      await note("checked-out", `Checked out ${short(row)} at ${checkout.path} (${took()}).`);
    };
    const sandbox = async (): Promise<void> => {
      await engine.ensureSandbox(spec, progress("sandbox"));
      await note("sandbox-ready", `The workspace's network and its rules are ready (${took()}).`);
    };
    await allOrAbort([source(), sandbox(), images]);

    const { address, boot } = await engine.ensureMembers(
      spec,
      { publicKey: signer.publicKey, ...this.#parts.environmentOf(row) },
      progress("start"),
    );
    supervisors.remember(spec.owner, address, boot);
    // The event first: who waits for the state has then seen it.
    await note("started", `The workspace is ready (${took()}).`);
    await this.#to(row, "running");
  }

  /** What runs should still run; what does not is said, or started again after an engine's crash. */
  async #verify(row: WorkspaceRow): Promise<boolean> {
    const observed = await this.#parts.engine.observe(specOf(row).owner);
    if (observed.sandbox !== "running") {
      await this.#to(row, "starting");
      await this.#parts.store.addEvent(row.id, {
        level: "warning",
        code: "engine-restarted",
        message: "The engine lost this workspace's containers. They are started again.",
      });
      return true;
    }
    const dev = observed.members.find((member) => member.service === row.plan.devService);
    if (dev?.state === "running") return false;
    this.#parts.supervisors.forget(specOf(row).owner);
    await this.#fail(
      row,
      new OneloopError("container-exited", exitSentence(row.plan.devService, observed)),
    );
    return false;
  }

  async #stop(row: WorkspaceRow, signal: AbortSignal): Promise<void> {
    const { owner } = specOf(row);
    this.#parts.supervisors.forget(owner);
    await this.#parts.engine.stop(owner, { signal, graceMs: stopGraceMs });
    await this.#to(row, "stopped");
    await this.#parts.store.addEvent(row.id, {
      level: "info",
      code: "stopped",
      message: "The workspace is stopped. Source and home are kept.",
    });
  }

  async #delete(row: WorkspaceRow, signal: AbortSignal): Promise<void> {
    const { engine, store, supervisors } = this.#parts;
    const { owner } = specOf(row);
    supervisors.forget(owner);
    await engine.stop(owner, { signal, graceMs: stopGraceMs });
    const { checkout } = row.plan;
    if (!row.deleteForced && row.checkedOut && checkout !== null) {
      // Asked again now that nothing runs: a program may have written since the user was asked.
      const work = await findUnsavedWork(engine, { owner, checkout }, { signal });
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
    await engine.remove(owner, { signal, storage: true });
    await store.forget(row.id, row.generation);
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
    for await (const event of this.#parts.engine.watch(this.#ended.signal)) await this.#see(event);
  }

  async #see(event: EngineEvent): Promise<void> {
    if (event.owner.kind !== "workspace") return;
    const { store, log } = this.#parts;
    try {
      const row = await store.byId(event.owner.id);
      if (row === null || row.state !== "running") return;
      if (event.service !== null && event.service !== row.plan.devService) {
        await store.addEvent(row.id, {
          level: "warning",
          code: event.kind === "out-of-memory" ? "out-of-memory" : "container-exited",
          message: eventSentence(event.service, event),
        });
      }
      this.kick(row.id);
    } catch (error) {
      log.error({ err: error, workspace: event.owner.id }, "an engine event was not handled");
    }
  }
}

export function ownerOf(row: { id: string }): Owner {
  return { kind: "workspace", id: row.id };
}

function specOf(row: WorkspaceRow): WorkspaceSpec {
  return { owner: ownerOf(row), name: row.name, plan: row.plan };
}

function short(row: WorkspaceRow): string {
  const branch = row.ref?.replace(/^refs\/(heads|tags)\//, "");
  return branch === undefined ? row.commit.slice(0, 12) : `${branch} (${row.commit.slice(0, 12)})`;
}

function deadline(interrupted: AbortSignal, ms: number): AbortSignal {
  return AbortSignal.any([interrupted, AbortSignal.timeout(ms)]);
}

/** All of them; when one fails the others are awaited too, so that nothing runs on unseen. */
async function allOrAbort(steps: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(steps);
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
  }
}

/** A step that was cut off without a new wish reached its deadline. */
function explain(error: unknown, row: WorkspaceRow): OneloopError {
  const failure = toOneloopError(error);
  if (failure.code !== "cancelled") return failure;
  return new OneloopError(
    "deadline-exceeded",
    `The workspace was ${row.state} for too long. The events say how far it came; try again.`,
    { cause: failure },
  );
}

function exitSentence(service: string, observed: Observed): string {
  const member = observed.members.find((one) => one.service === service);
  if (member === undefined)
    return `The container of ${service} is gone. Start the workspace again.`;
  const why = member.outOfMemory
    ? "reached its memory limit and was ended"
    : `ended with status ${member.exitCode ?? "unknown"}`;
  return `The container of ${service} ${why}. Start the workspace again; source and home are kept.`;
}

function eventSentence(service: string, event: EngineEvent): string {
  switch (event.kind) {
    case "out-of-memory":
      return `A program of ${service} reached the memory limit and was ended.`;
    case "died":
      return `The container of ${service} ended with status ${event.exitCode ?? "unknown"}.`;
    case "removed":
      return `The container of ${service} was removed from outside.`;
    default:
      return event.kind satisfies never;
  }
}
