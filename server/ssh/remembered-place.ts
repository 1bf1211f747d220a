import type { Resolved } from "./door.ts";

/** Tells which workspace has changed; null: any may have. */
export interface Changes {
  onChange(listener: (workspaceId: string | null) => void): Disposable;
}

/**
 * The workspace that a connection leads to, until it is told that something of it changed. Programs
 * open a channel for each command and each forwarded connection, and to ask the database for each
 * takes longer than all that the gateway does for one besides.
 */
export class RememberedPlace implements Disposable {
  #listening: Disposable | null;
  #place: Resolved | null = null;
  /** How often anything changed, of whatever workspace. */
  #changes = 0;

  /** @param changes undefined: nothing is remembered. */
  constructor(changes: Changes | undefined) {
    this.#listening =
      changes?.onChange((id) => {
        this.#changes += 1;
        if (id === null || id === this.#place?.owner.id) this.#place = null;
      }) ?? null;
  }

  /** @throws what `ask` does: that is not remembered. */
  async get(ask: () => Promise<Resolved>): Promise<Resolved> {
    if (this.#place !== null) return this.#place;
    const before = this.#changes;
    const place = await ask();
    // What has changed meanwhile may be newer than the answer.
    if (this.#listening !== null && this.#changes === before) this.#place = place;
    return place;
  }

  /** It was not as it is remembered, and that is not told yet. */
  forget(): void {
    this.#place = null;
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
    this.#listening = null;
    this.#place = null;
  }
}
