import type { Dependency, PlannedService } from "../../protocol/service.ts";
import { listed } from "./words.ts";

export type Condition = Dependency["condition"];

/** What others wait for, of one service. */
export interface Reachable {
  readonly name: string;
  has(condition: Condition): boolean;
  /** Why it will not go on by itself; null while it may. */
  readonly stuck: string | null;
  /** Called at every change, until the returned resource is disposed. */
  onChange(listener: () => void): Disposable;
}

/**
 * Waits until all that a service depends on is so far; `tell` gets what it still waits for, whenever
 * that is another.
 *
 * @param find Null for what is no mirrored service: the dev service and its own run already.
 * @throws the signal's reason
 */
export async function untilReached(
  dependsOn: readonly Dependency[],
  {
    find,
    tell,
    signal,
  }: {
    readonly find: (name: string) => Reachable | null;
    readonly tell: (reason: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const needed = dependsOn.flatMap((dependency) => {
    const on = find(dependency.service);
    return on === null ? [] : [{ ...dependency, on }];
  });
  const missing = () =>
    needed.filter(
      ({ on, condition, required }) => !on.has(condition) && (required || on.stuck === null),
    );
  for (let left = missing(); left.length > 0; left = missing()) {
    tell(whyWaiting(left));
    await nextChange(
      left.map(({ on }) => on),
      signal,
    );
  }
}

function nextChange(services: readonly Reachable[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const done = (): void => {
      for (const one of listening) one[Symbol.dispose]();
      signal.removeEventListener("abort", done);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const listening = services.map((service) => service.onChange(done));
    signal.addEventListener("abort", done, { once: true });
  });
}

const wanted: Readonly<Record<Condition, string>> = {
  started: "to start",
  healthy: "to be ready",
  completed: "to end with status 0",
};

function whyWaiting(
  left: readonly { readonly on: Reachable; readonly condition: Condition }[],
): string {
  const stuck = left.find(({ on }) => on.stuck !== null);
  if (stuck !== undefined) {
    return `It waits for ${stuck.on.name} ${wanted[stuck.condition]}, which will not happen by itself: ${stuck.on.stuck}`;
  }
  return `It waits for ${listed(left.map(({ on, condition }) => `${on.name} ${wanted[condition]}`))}.`;
}

/** The services that wait for themselves, each with the way that leads back to it. */
export function cycles(services: readonly PlannedService[]): Map<string, string> {
  const byName = new Map(services.map((service) => [service.name, service]));
  const next = (name: string): string[] =>
    (byName.get(name)?.mirror?.dependsOn ?? [])
      .filter(({ required }) => required)
      .map(({ service }) => service);
  const found = new Map<string, string>();
  for (const { name } of services) {
    const way = wayBack(name, next);
    if (way === null) continue;
    const words = way.map((one) => `${one} waits for `).join("");
    found.set(name, `Nothing of this can start: ${words}${name}.`);
  }
  return found;
}

/** The shortest way from a service back to itself. */
function wayBack(start: string, next: (name: string) => readonly string[]): string[] | null {
  const seen = new Set<string>();
  let ways: string[][] = [[start]];
  while (ways.length > 0) {
    const longer: string[][] = [];
    for (const way of ways) {
      for (const name of next(way.at(-1) ?? "")) {
        if (name === start) return way;
        if (seen.has(name)) continue;
        seen.add(name);
        longer.push([...way, name]);
      }
    }
    ways = longer;
  }
  return null;
}
