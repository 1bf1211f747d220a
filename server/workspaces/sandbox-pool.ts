import type { WorkspaceStore } from "../db/workspaces.ts";
import type { Engine, Owner } from "../engine/engine.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import { deadline } from "../util/deadline.ts";
import type { Ids } from "../util/ids.ts";
import type { Log } from "../util/log.ts";
import type { OnPhase } from "./phases.ts";
import { checkoutJob } from "./source.ts";

/** Two opens in a row find one ready; each costs two idle containers and a /28. */
const size = 2;
/** Preparing takes a second; an engine that needs this long has other trouble. */
const prepareTimeoutMs = 60_000;

export interface SandboxPoolParts {
  readonly store: WorkspaceStore;
  readonly engine: Engine;
  readonly ids: Ids;
  readonly log: Log;
  /** Whose prepared workspaces these are: the same after a restart of the same control plane. */
  readonly holder: string;
  readonly onPhase?: OnPhase | undefined;
}

/**
 * Ids of workspaces that nobody has asked for yet, with what an open would wait for: the network and
 * its sandbox run already, and the checkout's container waits for its orders.
 */
export class SandboxPool implements AsyncDisposable {
  readonly #parts: SandboxPoolParts;
  readonly #ready: string[] = [];
  /** Prepared ids whose open has not said yet what became of them. */
  readonly #taken = new Set<string>();
  readonly #ended = new AbortController();
  #filling: Promise<void> | null = null;

  constructor(parts: SandboxPoolParts) {
    this.#parts = parts;
  }

  /**
   * Removes what a killed control plane had prepared, with its volumes: nobody ever worked in them.
   * An id that became a workspace before the kill is one.
   */
  async clear(): Promise<void> {
    const { store, holder } = this.#parts;
    for (const prepared of await store.prepared()) {
      if (prepared.holder !== holder) continue;
      if ((await store.byId(prepared.id)) === null) await this.#remove(prepared.id);
      else await store.removePrepared(prepared.id);
    }
  }

  /** The id for a new workspace of this plan: a prepared one, or a fresh one. */
  take(plan: WorkspacePlan): string {
    const { engine, ids } = this.#parts;
    const prepared = engine.fitsPrepared(plan) ? this.#ready.shift() : undefined;
    if (prepared === undefined) return ids.id();
    this.#taken.add(prepared);
    return prepared;
  }

  /** The open that took this id found a workspace that exists: the next one may have it. */
  giveBack(id: string): void {
    if (this.#taken.delete(id)) this.#ready.push(id);
  }

  /** The id is a workspace's now. */
  async claimed(id: string): Promise<void> {
    this.#taken.delete(id);
    await this.#parts.store.removePrepared(id);
  }

  /** Makes what is missing, one at a time; call it when nobody waits for the engine. */
  refill(): void {
    if (this.#filling !== null || this.#ended.signal.aborted) return;
    this.#filling = this.#fill()
      .catch((error: unknown) => this.#parts.log.warn({ err: error }, "nothing was prepared"))
      .finally(() => (this.#filling = null));
  }

  /** Resolves when nothing is being prepared, however that went. */
  async settled(): Promise<void> {
    await this.#filling;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#filling;
    // Not what an open has taken: it may be a workspace already. The next start looks.
    for (const id of this.#ready) await this.#remove(id);
  }

  async #fill(): Promise<void> {
    const { engine, ids, store, holder, log, onPhase } = this.#parts;
    while (this.#ready.length < size && !this.#ended.signal.aborted) {
      const id = ids.id();
      using options = deadline(this.#ended.signal, prepareTimeoutMs);
      // The row first: whatever is made of it can then be found, also after a kill.
      await store.addPrepared({ id, holder });
      onPhase?.("pool-row-added");
      try {
        await engine.prepareSandbox(owned(id), options);
        onPhase?.("pool-sandbox-prepared");
        await engine.prepareJob(checkoutJob(owned(id)), options);
        onPhase?.("pool-job-prepared");
      } catch (error) {
        // What cannot be removed now is found again at the next start.
        await this.#remove(id).catch((failure: unknown) =>
          log.warn({ err: failure, workspace: id }, "what was half prepared was not removed"),
        );
        throw error;
      }
      this.#ready.push(id);
    }
  }

  async #remove(id: string): Promise<void> {
    using limit = deadline(null, prepareTimeoutMs);
    const { signal } = limit;
    await this.#parts.engine.remove(owned(id), { signal, storage: true });
    await this.#parts.store.removePrepared(id);
  }
}

function owned(id: string): Owner {
  return { kind: "workspace", id };
}
