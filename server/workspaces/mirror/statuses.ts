import type { ServiceStatus, ServiceStore } from "../../db/workspace-services.ts";
import type { Log } from "../../util/log.ts";
import { Poke } from "../../util/poke.ts";
import type { Timers } from "./timers.ts";

/** After a database that did not answer. */
const retryAfterMs = 5000;

const onTheirWay: ReadonlySet<ServiceStatus["state"]> = new Set([
  "building",
  "pulling",
  "starting",
]);

export type StatusChange = Partial<Omit<ServiceStatus, "service" | "since">>;

/**
 * How far each service of a workspace is. What changes while it is being written down is written
 * together: hundreds of services that start at once are a few statements.
 */
export class Statuses {
  readonly #id: string;
  readonly #parts: { store: Pick<ServiceStore, "write">; timers: Timers; log: Log };
  readonly #statuses = new Map<string, ServiceStatus>();
  readonly #changed = new Set<string>();
  readonly #poke = new Poke();
  readonly #watchers = new Set<() => void>();

  constructor(
    id: string,
    parts: {
      readonly store: Pick<ServiceStore, "write">;
      readonly timers: Timers;
      readonly log: Log;
    },
  ) {
    this.#id = id;
    this.#parts = parts;
  }

  /** As it was written before. */
  restore(status: ServiceStatus): void {
    this.#statuses.set(status.service, status);
  }

  get(service: string): ServiceStatus | null {
    return this.#statuses.get(service) ?? null;
  }

  set(service: string, change: StatusChange): void {
    const before = this.#statuses.get(service);
    const now = new Date(this.#parts.timers.now());
    const first = { service, state: "waiting", health: null, reason: null, restarts: 0 } as const;
    const after = { ...first, since: now, ...before, ...change };
    if (before !== undefined && same(before, after)) return;
    const since = before?.state === after.state ? after.since : now;
    this.#statuses.set(service, { ...after, since });
    this.#changed.add(service);
    this.#poke.poke();
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Resolves when none is on its way; one that waits for another may be later. */
  untilAtRest(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        const isOnItsWay = [...this.#statuses.values()].some(({ state }) => onTheirWay.has(state));
        if (isOnItsWay && !signal.aborted) return;
        this.#watchers.delete(look);
        signal.removeEventListener("abort", look);
        resolve();
      };
      this.#watchers.add(look);
      signal.addEventListener("abort", look, { once: true });
      look();
    });
  }

  /** Writes changes down until the signal is aborted. */
  async keep(signal: AbortSignal): Promise<void> {
    const { store, timers, log } = this.#parts;
    while (await this.#poke.wait(signal)) {
      const services = [...this.#changed];
      this.#changed.clear();
      const rows = services.flatMap((service) => this.#statuses.get(service) ?? []);
      try {
        await store.write(this.#id, rows);
      } catch (error) {
        log.warn({ err: error, workspace: this.#id }, "states of services were not written");
        for (const service of services) this.#changed.add(service);
        this.#poke.poke();
        await timers.sleep(retryAfterMs, signal).catch(() => undefined);
      }
    }
  }
}

function same(a: ServiceStatus, b: ServiceStatus): boolean {
  return (
    a.state === b.state &&
    a.health === b.health &&
    a.reason === b.reason &&
    a.restarts === b.restarts
  );
}
