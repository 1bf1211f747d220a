import type { WorkspaceStore } from "../db/workspaces.ts";
import type { Engine, Preparation } from "../engine/engine.ts";
import type { Owner } from "../engine/steps.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import { deadline } from "../util/deadline.ts";
import type { Ids } from "../util/ids.ts";
import type { Log } from "../util/log.ts";
import { mirroredServices } from "./mirror/mirrored.ts";
import type { OnPhase } from "./phases.ts";
import { checkoutJob } from "./source.ts";

/**
 * After so many opens of others a mirror is not made ahead any more: each of its services costs an
 * idle container.
 */
const mirrorOpens = 10;
/** Preparing takes a second; an engine that needs this long has other trouble. */
const prepareTimeoutMs = 60_000;
/** The sandboxes of a mirror are made one after the other, while others may use the engine. */
const prepareMirrorTimeoutMs = 300_000;

export interface SandboxPoolParts {
  readonly store: WorkspaceStore;
  readonly engine: Engine;
  readonly ids: Ids;
  readonly log: Log;
  /** Whose prepared workspaces these are: the same after a restart of the same control plane. */
  readonly holder: string;
  /** Sandboxes for so many services of a mirror that is not the one that was opened last. */
  readonly spares?: number;
  readonly onPhase?: OnPhase | undefined;
}

/** An id, and what was made for it. */
interface Prepared {
  readonly id: string;
  readonly preparation: Preparation;
}

/**
 * What every plan of one service needs, and every one of several, which serves the former as well: two
 * opens in a row find one ready. Each costs two idle containers and a /28.
 */
const usual: readonly Preparation[] = [
  { like: null, spares: 0 },
  { like: null, spares: 0, several: true },
];

function isUsual({ preparation }: Pick<Prepared, "preparation">): boolean {
  return usual.includes(preparation);
}

/**
 * Ids of workspaces that nobody has asked for yet, with what an open would wait for: the network and
 * its sandbox run already, and the checkout's container waits for its orders. Where production is
 * mirrored, one more is there for the mirror that was opened last, as the next branch or incident of
 * the same production needs the same, with some for any other mirror.
 */
export class SandboxPool implements AsyncDisposable {
  readonly #parts: SandboxPoolParts;
  #ready: Prepared[] = [];
  /** Prepared ids whose open has not said yet what became of them. */
  readonly #taken = new Map<string, Prepared>();
  /** The mirror that was opened last, and how many opens of others there were since. */
  #mirror: { readonly plan: WorkspacePlan; opensSince: number } | null = null;
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
    this.#remember(plan);
    // Of those that have the same, the one that has the least else.
    const [prepared] = this.#ready
      .map((one) => ({ ...one, count: engine.countPrepared(plan, one.preparation) }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count || orderOf(a) - orderOf(b));
    if (prepared === undefined) return ids.id();
    const { id, preparation } = prepared;
    this.#ready = this.#ready.filter((one) => one.id !== id);
    this.#taken.set(id, { id, preparation });
    return id;
  }

  /** The open that took this id found a workspace that exists: the next one may have it. */
  giveBack(id: string): void {
    const prepared = this.#taken.get(id);
    if (prepared !== undefined && this.#taken.delete(id)) this.#ready.push(prepared);
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
    for (const { id } of this.#ready) await this.#remove(id);
  }

  #remember(plan: WorkspacePlan): void {
    if (mirroredServices(plan).length > 0) this.#mirror = { plan, opensSince: 0 };
    else if (this.#mirror !== null && ++this.#mirror.opensSince >= mirrorOpens) this.#mirror = null;
  }

  async #fill(): Promise<void> {
    for (;;) {
      await this.#removeOutdated();
      const missing = this.#missing();
      if (missing === null || this.#ended.signal.aborted) return;
      await this.#prepare(missing);
    }
  }

  /** What was made for other mirrors than the next one is likely to be. */
  async #removeOutdated(): Promise<void> {
    for (const prepared of [...this.#ready]) {
      if (isUsual(prepared) || this.#isForMirror(prepared.preparation)) continue;
      this.#ready = this.#ready.filter((one) => one !== prepared);
      await this.#remove(prepared.id);
    }
  }

  /** What the next one is to be made of; null where all are there. */
  #missing(): Preparation | null {
    const missing = usual.find(
      (one) => !this.#ready.some(({ preparation }) => preparation === one),
    );
    return missing ?? (this.#ready.every(isUsual) ? this.#forMirror() : null);
  }

  /** What the next mirror is likely to need; null: nothing. */
  #forMirror(): Preparation | null {
    const { engine, spares = 0 } = this.#parts;
    const like = { like: this.#mirror?.plan ?? null, spares };
    // There are plans that nothing can be made ahead for.
    if (like.like !== null && engine.countPrepared(like.like, like) > 0) return like;
    return spares === 0 ? null : { like: null, spares };
  }

  #isForMirror(preparation: Preparation): boolean {
    const wanted = this.#forMirror();
    if (wanted === null) return false;
    const { like } = wanted;
    if (like === null) return preparation.like === null;
    const { engine } = this.#parts;
    return engine.countPrepared(like, preparation) === engine.countPrepared(like, wanted);
  }

  async #prepare(preparation: Preparation): Promise<void> {
    const { engine, ids, store, holder, log, onPhase } = this.#parts;
    const id = ids.id();
    using options = deadline(
      this.#ended.signal,
      isUsual({ preparation }) ? prepareTimeoutMs : prepareMirrorTimeoutMs,
    );
    // The row first: whatever is made of it can then be found, also after a kill.
    await store.addPrepared({ id, holder });
    onPhase?.("pool-row-added");
    try {
      await engine.prepareSandboxes(owned(id), { ...options, preparation });
      onPhase?.(isUsual({ preparation }) ? "pool-sandbox-prepared" : "pool-mirror-prepared");
      await engine.prepareJob(checkoutJob(owned(id)), options);
      onPhase?.("pool-job-prepared");
    } catch (error) {
      // What cannot be removed now is found again at the next start.
      await this.#remove(id).catch((failure: unknown) =>
        log.warn({ err: failure, workspace: id }, "what was half prepared was not removed"),
      );
      throw error;
    }
    this.#ready.push({ id, preparation });
  }

  async #remove(id: string): Promise<void> {
    using limit = deadline(null, prepareTimeoutMs);
    const { signal } = limit;
    await this.#parts.engine.remove(owned(id), { signal, storage: true });
    await this.#parts.store.removePrepared(id);
  }
}

/** Those of every plan first. */
function orderOf({ preparation }: Prepared): number {
  const at = usual.indexOf(preparation);
  return at === -1 ? usual.length : at;
}

function owned(id: string): Owner {
  return { kind: "workspace", id };
}
