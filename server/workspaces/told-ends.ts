import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { Observed } from "../engine/observed.ts";
import { deadServiceEvent, outOfMemoryEvent } from "./reconciler-words.ts";

/** A program that runs into its memory limit again and again is told of once in this time. */
const outOfMemoryEveryMs = 10_000;

/** Tells in a workspace's events what ended in it by itself; each end once. */
export class ToldEnds {
  readonly #store: Pick<WorkspaceStore, "addEvent">;
  /** The services of each workspace of which was told that they ended. */
  readonly #dead = new Map<string, Set<string>>();
  /** When was last told, of a service, that a program of it was ended for memory. */
  readonly #memory = new Map<string, number>();

  constructor(store: Pick<WorkspaceStore, "addEvent">) {
    this.#store = store;
  }

  /** The workspace is started: what ends from now on is told again. */
  forget(id: string): void {
    this.#dead.delete(id);
  }

  /** @param dead the services that should run and do not; of the others is told when they end again. */
  async tellDead(row: WorkspaceRow, dead: readonly string[], observed: Observed): Promise<void> {
    const told = this.#dead.get(row.id);
    this.#dead.set(row.id, new Set(dead));
    for (const service of dead) {
      if (told?.has(service) === true) continue;
      await this.#store.addEvent(row.id, deadServiceEvent(service, observed));
    }
  }

  async tellMemory(row: WorkspaceRow, service: string): Promise<void> {
    const key = `${row.id}/${service}`;
    const now = performance.now();
    if (now - (this.#memory.get(key) ?? -Infinity) < outOfMemoryEveryMs) return;
    this.#memory.set(key, now);
    await this.#store.addEvent(row.id, outOfMemoryEvent(row.plan, service));
  }
}
