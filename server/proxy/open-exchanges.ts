import type { ConnectedBy } from "../auth/live.ts";
import type { PortHost } from "../ports/hostname.ts";
import type { Log } from "../util/log.ts";
import type { Access, PortSession } from "./access.ts";

/** The part of the registry of live connections that a door uses. */
export interface Live {
  register(by: ConnectedBy, close: () => void): Disposable;
  onRevoked(listener: (id: string | null) => void): Disposable;
}

export interface Changes {
  /** Called with the id of a workspace that changed, or null after a gap. */
  onChange(listener: (workspaceId: string | null) => void): Disposable;
}

interface Exchange {
  readonly session: PortSession | null;
  readonly host: PortHost;
  readonly workspaceId: string | null;
  readonly close: () => void;
}

/**
 * Requests and WebSockets that are under way. One ends when its session is revoked, and when its
 * port is no longer for whoever it is.
 */
export class OpenExchanges implements Disposable {
  readonly #access: Access;
  readonly #live: Live;
  readonly #log: Log;
  readonly #open = new Set<Exchange>();
  readonly #listening: readonly Disposable[];

  constructor(access: Access, parts: { live: Live; changes: Changes; log: Log }) {
    this.#access = access;
    this.#live = parts.live;
    this.#log = parts.log;
    this.#listening = [
      parts.live.onRevoked((id) => access.forgetRevoked(id)),
      parts.changes.onChange((workspaceId) => {
        access.forgetWorkspace(workspaceId);
        void this.#askAgain(workspaceId);
      }),
    ];
  }

  /** @returns to be called when it has ended. */
  enter(exchange: Exchange): () => void {
    const { session, close } = exchange;
    this.#open.add(exchange);
    const registered =
      session === null
        ? null
        : this.#live.register({ userId: session.userId, credentialId: session.tokenId }, close);
    return () => {
      this.#open.delete(exchange);
      registered?.[Symbol.dispose]();
    };
  }

  [Symbol.dispose](): void {
    for (const one of this.#listening) one[Symbol.dispose]();
  }

  async #askAgain(workspaceId: string | null): Promise<void> {
    const concerned = [...this.#open].filter(
      (one) => workspaceId === null || one.workspaceId === workspaceId,
    );
    await Promise.all(
      concerned.map(async ({ session, host, close }) => {
        try {
          if ((await this.#access.of(session, host)).kind !== "reach") close();
        } catch (error) {
          // Nothing was taken away while the database is away; after that everybody is asked about.
          this.#log.debug({ err: error }, "an open connection to a port was not asked about");
        }
      }),
    );
  }
}
