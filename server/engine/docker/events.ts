import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { Log } from "../../util/log.ts";
import type { EngineEvent } from "../engine.ts";
import { jsonLines } from "./image-facts.ts";
import { label, ownerOfLabels, type Names, type Role } from "./names.ts";

/** An engine that restarts is back in seconds; one that is gone is not asked in a tight loop. */
const firstDelayMs = 100;
const maxDelayMs = 5000;

const watchedRoles: readonly Role[] = ["sandbox", "dev", "service"];

interface ContainerEvent {
  readonly Action?: string;
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> };
}

/** Deaths of members and sandboxes until the signal is aborted; reconnects with a growing pause. */
export async function* watchEvents(
  parts: { docker: Docker; names: Names; log: Log },
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  const { docker, names, log } = parts;
  let pauseMs = firstDelayMs;
  // The engine replays from here: what happens while the request is on its way is not lost.
  let sinceMs = Date.now();
  while (!signal.aborted) {
    try {
      const stream = (await docker.getEvents({
        filters: {
          type: ["container"],
          event: ["die", "oom", "destroy"],
          label: names.installationFilter(),
        },
        since: sinceMs / 1000,
        abortSignal: signal,
      })) as Readable;
      for await (const event of jsonLines(stream)) {
        pauseMs = firstDelayMs;
        const seen = readEvent(event as ContainerEvent);
        if (seen !== null) yield seen;
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, "the engine's events are interrupted");
    }
    sinceMs = Date.now();
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, maxDelayMs);
  }
}

/** @returns `null` for what is nobody's member: jobs, and containers of the installation itself. */
export function readEvent({ Action, Actor }: ContainerEvent): EngineEvent | null {
  const labels = Actor?.Attributes ?? {};
  const owner = ownerOfLabels(labels);
  const kind = kinds[Action ?? ""];
  if (owner === null || kind === undefined) return null;
  if (!watchedRoles.includes(labels[label.role] as Role)) return null;
  const exitCode = kind === "died" ? Number(labels["exitCode"]) : null;
  return { owner, service: labels[label.service] ?? null, kind, exitCode };
}

const kinds: Readonly<Record<string, EngineEvent["kind"]>> = {
  die: "died",
  oom: "out-of-memory",
  destroy: "removed",
};
