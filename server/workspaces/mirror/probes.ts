import type { MirroredService, Probe } from "../../protocol/service.ts";
import type { ServiceHealth } from "../../protocol/workspace.ts";
import type { CheckResult } from "./checks.ts";
import type { Timers } from "./timers.ts";

/** A service that starts is asked more often than production asks, so that nobody waits for nothing. */
const firstPauseMs = 250;

export interface ProbeParts {
  readonly timers: Timers;
  readonly check: (probe: Probe, signal: AbortSignal) => Promise<CheckResult>;
  /** @param why of `unready`, as a sentence. */
  readonly tell: (health: ServiceHealth, why?: string) => void;
  /** What its probes said before this control plane asked; null: it has just started. */
  readonly was: ServiceHealth | null;
}

type Probes = Pick<MirroredService, "startup" | "readiness" | "liveness">;

/**
 * Asks a service by its probes as production would, until the signal is aborted: its startup probe
 * first, then the two others beside each other. A service without any is not asked at all.
 *
 * @returns why production would start it again.
 * @throws the signal's reason
 */
export async function probe(
  { startup, readiness, liveness }: Probes,
  parts: ProbeParts,
  signal: AbortSignal,
): Promise<string> {
  const isNew = parts.was === null || parts.was === "starting";
  if (isNew && (startup !== null || readiness !== null)) parts.tell("starting");
  if (isNew && startup !== null) {
    const failure = await untilUp(startup, parts, signal);
    if (failure !== null) return `Its startup probe failed ${times(startup)}: ${failure}.`;
    if (readiness === null) parts.tell("ready");
  }
  const asked = [
    ...(readiness === null ? [] : [watchReadiness(readiness, parts, signal)]),
    ...(liveness === null ? [] : [watchLiveness(liveness, parts, signal)]),
  ];
  return asked.length === 0 ? ended(signal) : Promise.race(asked);
}

/** @returns null when it is up, else the last failure, when production would give up. */
async function untilUp(
  startup: Probe,
  { timers, check }: ProbeParts,
  signal: AbortSignal,
): Promise<string | null> {
  const until = timers.now() + patienceMs(startup);
  for (const pauseMs of quickPauses(startup)) {
    await timers.sleep(pauseMs, signal);
    const result = await check(startup, signal);
    if (result.kind === "yes") return null;
    if (result.kind === "no" && timers.now() >= until) return result.why;
  }
  return null;
}

async function watchReadiness(
  readiness: Probe,
  parts: ProbeParts,
  signal: AbortSignal,
): Promise<never> {
  const { timers, check, tell, was } = parts;
  if (was === null || was === "starting") await untilReady(readiness, parts, signal);
  let isReady = was !== "unready";
  let inARow = 0;
  for (;;) {
    await timers.sleep(readiness.periodS * 1000, signal);
    const result = await check(readiness, signal);
    if (result.kind === "unknown") continue;
    inARow = (result.kind === "yes") === isReady ? 0 : inARow + 1;
    if (inARow < (isReady ? readiness.failures : readiness.successes)) continue;
    isReady = !isReady;
    inARow = 0;
    if (result.kind === "no") tell("unready", unreadySentence(result.why));
    else tell("ready");
  }
}

async function untilReady(
  readiness: Probe,
  { timers, check, tell }: ProbeParts,
  signal: AbortSignal,
): Promise<void> {
  const until = timers.now() + patienceMs(readiness);
  let yeses = 0;
  for (const pauseMs of quickPauses(readiness)) {
    await timers.sleep(pauseMs, signal);
    const result = await check(readiness, signal);
    yeses = result.kind === "yes" ? yeses + 1 : 0;
    if (yeses >= readiness.successes) break;
    if (result.kind === "no" && timers.now() >= until) tell("unready", unreadySentence(result.why));
  }
  tell("ready");
}

async function watchLiveness(
  liveness: Probe,
  { timers, check }: ProbeParts,
  signal: AbortSignal,
): Promise<string> {
  await timers.sleep(liveness.initialDelayS * 1000, signal);
  let failures = 0;
  for (;;) {
    const result = await check(liveness, signal);
    if (result.kind === "yes") failures = 0;
    if (result.kind === "no") {
      failures += 1;
      if (failures >= liveness.failures) {
        return `Its liveness probe failed ${times(liveness)}: ${result.why}.`;
      }
    }
    await timers.sleep(liveness.periodS * 1000, signal);
  }
}

function unreadySentence(why: string): string {
  return `Its readiness probe says no: ${why}.`;
}

/** How long production waits for the first yes. */
function patienceMs({ initialDelayS, periodS, failures }: Probe): number {
  return (initialDelayS + periodS * failures) * 1000;
}

function* quickPauses({ periodS }: Probe): Generator<number> {
  yield 0;
  for (let pauseMs = firstPauseMs; ; pauseMs *= 2) yield Math.min(pauseMs, periodS * 1000);
}

function times({ failures }: Probe): string {
  return failures === 1 ? "once" : `${failures} times`;
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
