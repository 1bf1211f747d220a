import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../db/database.ts";
import type { WorkspaceStore } from "../db/workspaces.ts";
import { Poke } from "../util/poke.ts";

/** A page that shows the list reads it again at most so often. */
const defaultEveryMs = 500;
/** A workspace never changes its owner; so many of them are remembered. */
const maxRemembered = 10_000;

interface OwnChangesParts {
  readonly database: Pick<Database, "onChange">;
  readonly store: Pick<WorkspaceStore, "byId">;
  readonly everyMs?: number;
}

/**
 * Says when a person's own workspaces may have changed. Every watcher hears of every change of
 * anybody's workspace; whose it is, is asked once for all of them.
 */
export class OwnChanges {
  readonly #parts: OwnChangesParts;
  readonly #owners = new Map<string, Promise<string | null>>();

  constructor(parts: OwnChangesParts) {
    this.#parts = parts;
  }

  /**
   * Yields at once, then after changes, until the signal is aborted.
   *
   * @param atMostMs asked each time: when to look again where no change is told; null: never.
   */
  async *of(
    userId: string,
    signal: AbortSignal,
    atMostMs: () => number | null = () => null,
  ): AsyncGenerator<void> {
    const { database, everyMs = defaultEveryMs } = this.#parts;
    const poke = new Poke();
    using _listening = database.onChange((changed) => {
      if (changed === null) return poke.poke();
      this.#ownerOf(changed).then(
        (owner) => {
          if (owner === userId || owner === null) poke.poke();
        },
        () => poke.poke(),
      );
    });
    do {
      const last = performance.now();
      yield;
      const wait = Math.max(0, last + everyMs - performance.now());
      await delay(wait, undefined, { signal }).catch(() => undefined);
    } while (await poke.wait(signal, atMostMs()));
  }

  /** Null for one that is gone and of which nothing was heard before. */
  #ownerOf(id: string): Promise<string | null> {
    const known = this.#owners.get(id);
    if (known !== undefined) return known;
    if (this.#owners.size >= maxRemembered) this.#owners.clear();
    const asked = this.#parts.store.byId(id).then((row) => row?.ownerId ?? null);
    this.#owners.set(id, asked);
    asked.catch(() => this.#owners.delete(id));
    return asked;
  }
}
