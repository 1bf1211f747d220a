import { Pool } from "undici";
import type { Supervisors, Target } from "../terminals/supervisors.ts";

/** Connections to one port of one workspace for one user; more requests wait for a free one. */
const maxConnectionsPerPort = 128;
/** Requests and WebSockets of one workspace at a time: no page needs as many, a loop would. */
const maxConcurrentPerWorkspace = 1024;
/** Pools without a connection cost little; this many of them are kept. */
const maxPools = 512;
/** Shorter than the 5 s after which Node's own servers close a connection that waits. */
const keepAliveMs = 4000;

export interface Destination {
  readonly target: Target;
  /** As the workspace's own network names it. */
  readonly host: string;
  readonly port: number;
}

/** Connections into workspaces, reused between requests of one user to one port. */
export class Upstreams implements AsyncDisposable {
  readonly #supervisors: Pick<Supervisors, "dial">;
  readonly #pools = new Map<string, Pool>();
  readonly #running = new Map<string, number>();

  constructor(supervisors: Pick<Supervisors, "dial">) {
    this.#supervisors = supervisors;
  }

  pool({ target, host, port }: Destination): Pool {
    const key = JSON.stringify([target.owner, target.actor, host, port]);
    const kept = this.#pools.get(key);
    if (kept !== undefined) return kept;
    this.#makeRoom();
    const pool = new Pool("http://workspace", {
      connections: maxConnectionsPerPort,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      // A person at a breakpoint, a long poll, server-sent events: the browser decides when to stop.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        void (async () => {
          let socket;
          try {
            socket = await this.#supervisors.dial(target, { host, port });
          } catch (error) {
            callback(error instanceof Error ? error : new Error(String(error)), null);
            return;
          }
          callback(null, socket);
        })();
      },
    });
    this.#pools.set(key, pool);
    return pool;
  }

  /** Takes a place for a request; `null` when the workspace has too many. */
  enter({ target }: Destination): (() => void) | null {
    const key = target.owner.id;
    const running = this.#running.get(key) ?? 0;
    if (running >= maxConcurrentPerWorkspace) return null;
    this.#running.set(key, running + 1);
    return () => {
      const left = (this.#running.get(key) ?? 1) - 1;
      if (left === 0) this.#running.delete(key);
      else this.#running.set(key, left);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #makeRoom(): void {
    if (this.#pools.size < maxPools) return;
    for (const [key, pool] of this.#pools) {
      if (pool.stats.running > 0 || pool.stats.pending > 0 || pool.stats.queued > 0) continue;
      this.#pools.delete(key);
      void pool.close();
    }
  }
}
