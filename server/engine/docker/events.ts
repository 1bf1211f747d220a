import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { Log } from "../../util/log.ts";
import type { EngineEvent } from "../engine.ts";
import type { Owner } from "../steps.ts";
import { jsonLines } from "./image-facts.ts";
import { label, ownerOfLabels, type Names, type Role } from "./names.ts";

/** An engine that restarts is back in seconds; one that is gone is not asked in a tight loop. */
const firstDelayMs = 100;
const maxDelayMs = 5000;

const watchedRoles: readonly Role[] = ["sandbox", "dev", "service"];

interface DockerEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: {
    readonly ID?: string;
    readonly Attributes?: Readonly<Record<string, string>>;
  };
}

/** Containers that are removed by Oneloop's own doing: no news to anybody. By their ids. */
export type OwnRemovals = Set<string>;

export interface WatchParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly log: Log;
  readonly onGap: (() => void) | undefined;
  readonly ownRemovals: OwnRemovals;
}

/**
 * Deaths of members and sandboxes, and networks that they lose, until the signal is aborted;
 * reconnects with a growing pause, and tells of each gap when it is over.
 */
export async function* watchEvents(
  { docker, names, log, onGap, ownRemovals }: WatchParts,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  let isGap = false;
  let pauseMs = firstDelayMs;
  // The engine replays from here: what happens while the request is on its way is not lost.
  let sinceMs = Date.now();
  while (!signal.aborted) {
    try {
      const stream = (await docker.getEvents({
        // No filter by label: an event of a network does not have its labels.
        filters: { type: ["container", "network"], event: Object.keys(kinds) },
        since: sinceMs / 1000,
        abortSignal: signal,
      })) as Readable;
      // An engine that was away does not tell what ended meanwhile.
      if (isGap) onGap?.();
      for await (const event of jsonLines(stream)) {
        pauseMs = firstDelayMs;
        if (isOwn(event as DockerEvent, ownRemovals)) continue;
        const seen = readEvent(event as DockerEvent, names);
        if (seen !== null) yield seen;
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, "the engine's events are interrupted");
    }
    isGap = true;
    ownRemovals.clear();
    sinceMs = Date.now();
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, maxDelayMs);
  }
}

/**
 * @returns `null` for what is of another installation or nobody's member: jobs, and containers of
 * the installation itself.
 */
export function readEvent({ Type, Action, Actor }: DockerEvent, names: Names): EngineEvent | null {
  const attributes = Actor?.Attributes ?? {};
  const kind = kinds[Action ?? ""];
  if (kind === undefined) return null;
  if (Type === "network") {
    const owner = kind === "cut-off" ? names.ownerOfNetwork(attributes["name"] ?? "") : null;
    return owner === null ? null : { owner, service: null, kind, exitCode: null };
  }
  const owner = ownerOfLabels(attributes);
  if (owner === null || attributes[label.installation] !== names.installation) return null;
  if (!watchedRoles.includes(attributes[label.role] as Role)) return null;
  const exitCode = kind === "died" ? Number(attributes["exitCode"]) : null;
  return { owner, service: serviceOf(attributes, { owner, names }), kind, exitCode };
}

function isOwn({ Type, Action, Actor }: DockerEvent, ownRemovals: OwnRemovals): boolean {
  const id = (Type === "network" ? Actor?.Attributes?.["container"] : Actor?.ID) ?? "";
  const isIt = ownRemovals.has(id);
  if (Action === "destroy") ownRemovals.delete(id);
  return isIt;
}

/** The service whose container this is, or whose sandbox; `null`: it is of those that are together. */
function serviceOf(
  attributes: Readonly<Record<string, string>>,
  { owner, names }: { owner: Owner; names: Names },
): string | null {
  const service = attributes[label.service] ?? null;
  const role: Role = "sandbox";
  return service !== null && attributes[label.role] === role
    ? names.podOfSandbox(owner, attributes["name"] ?? "")
    : service;
}

const kinds: Readonly<Record<string, EngineEvent["kind"]>> = {
  die: "died",
  oom: "out-of-memory",
  destroy: "removed",
  disconnect: "cut-off",
};
