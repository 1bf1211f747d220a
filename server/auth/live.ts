import type { Log } from "../util/log.ts";

/** By what somebody is connected: their session or token, or their SSH key. */
export interface ConnectedBy {
  readonly userId: string;
  /** The id of the session, the token or the key. */
  readonly credentialId: string;
}

export interface LiveConnectionsParts {
  /** The revocations of all control planes: an id, or `null` after a gap. */
  readonly revocations: { onRevoked(listener: (id: string | null) => void): Disposable };
  /** Which of these sessions, tokens and keys are good still. */
  readonly thoseThere: (credentialIds: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly log: Log;
  /** How often those are asked about whose time may be over. */
  readonly askEveryMs?: number;
}

interface Live {
  readonly by: ConnectedBy;
  readonly close: () => void;
}

/**
 * Revoked ids that are remembered for connections that are just being made. An id never comes back,
 * and making a connection takes seconds: so many are not revoked meanwhile.
 */
const maxRemembered = 10_000;

/** A session lives for a month: a minute more of what it has open takes nothing from that. */
const usualAskEveryMs = 60_000;

/**
 * Everything live that hangs on somebody's sign-in: subscriptions, terminals, requests to ports, SSH
 * connections. It is closed when its session, token or key is revoked, or its person removed, on
 * whichever control plane of the database that was said; and soon after the time of its session or
 * token is over, which nobody says.
 */
export class LiveConnections implements Disposable {
  readonly #parts: LiveConnectionsParts;
  /** By the credential's id, and by the user's. */
  readonly #live = new Map<string, Set<Live>>();
  readonly #revoked = new Set<string>();
  readonly #listening: Disposable;
  readonly #asking: NodeJS.Timeout;

  constructor(parts: LiveConnectionsParts) {
    this.#parts = parts;
    this.#listening = parts.revocations.onRevoked((id) => {
      if (id === null) void this.#askAboutAll({ afterGap: true });
      else this.#revoke(id);
    });
    const askEveryMs = parts.askEveryMs ?? usualAskEveryMs;
    this.#asking = setInterval(() => void this.#askAboutAll({ afterGap: false }), askEveryMs);
    this.#asking.unref();
  }

  /**
   * @param close called at most once, at once when the sign-in was revoked already.
   * @returns to be disposed when it has ended by itself.
   */
  register(by: ConnectedBy, close: () => void): Disposable {
    if (this.#revoked.has(by.credentialId) || this.#revoked.has(by.userId)) {
      close();
      return { [Symbol.dispose]: () => undefined };
    }
    const live: Live = { by, close };
    for (const id of [by.credentialId, by.userId]) {
      const others = this.#live.get(id);
      if (others === undefined) this.#live.set(id, new Set([live]));
      else others.add(live);
    }
    return { [Symbol.dispose]: () => this.#forget(live) };
  }

  /** An AbortSignal that fires on the revocation; to be disposed as `register`'s. */
  signal(by: ConnectedBy): Disposable & { readonly signal: AbortSignal } {
    const controller = new AbortController();
    const registered = this.register(by, () => controller.abort());
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => registered[Symbol.dispose](),
    };
  }

  /** For what keeps answers: called with the id of a user, session, token or key; `null`: any. */
  onRevoked(listener: (id: string | null) => void): Disposable {
    return this.#parts.revocations.onRevoked(listener);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#asking);
    this.#listening[Symbol.dispose]();
  }

  #revoke(id: string): void {
    if (this.#revoked.size >= maxRemembered) {
      // A Set keeps the order of insertion: the oldest goes.
      for (const oldest of this.#revoked) {
        this.#revoked.delete(oldest);
        break;
      }
    }
    this.#revoked.add(id);
    this.#closeAll(id);
  }

  /**
   * After a gap, what cannot be asked about is closed: whoever is good still connects again. Else
   * every revocation was told, and an answer can wait.
   */
  async #askAboutAll({ afterGap }: { afterGap: boolean }): Promise<void> {
    const asked = new Set<string>();
    for (const lives of this.#live.values()) {
      for (const { by } of lives) asked.add(by.credentialId);
    }
    let there: ReadonlySet<string> = new Set();
    try {
      if (asked.size > 0) there = await this.#parts.thoseThere([...asked]);
    } catch (error) {
      if (!afterGap) return;
      this.#parts.log.warn(
        { err: error },
        "revocations were not read; live connections are closed",
      );
      for (const id of asked) this.#closeAll(id);
      return;
    }
    for (const id of asked) if (!there.has(id)) this.#revoke(id);
  }

  #closeAll(id: string): void {
    for (const live of [...(this.#live.get(id) ?? [])]) {
      this.#forget(live);
      live.close();
    }
  }

  #forget(live: Live): void {
    for (const id of [live.by.credentialId, live.by.userId]) {
      const lives = this.#live.get(id);
      lives?.delete(live);
      if (lives?.size === 0) this.#live.delete(id);
    }
  }
}
