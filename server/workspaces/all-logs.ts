import { setTimeout as delay } from "node:timers/promises";
import { OneloopError } from "../protocol/errors.ts";
import type { ServiceLogsUpdate } from "../protocol/service-logs.ts";
import type { LogUpdate, WorkspaceSummary, WorkspaceUpdate } from "../protocol/workspace.ts";
import { Poke } from "../util/poke.ts";
import { keptLogs, type Printed } from "./kept-logs.ts";
import type { LogPart, LogRequest } from "./service-logs.ts";

export interface AllLogsRequest {
  /** Null: all of the workspace. */
  readonly services: readonly string[] | null;
  /** Go on with what is printed, also by a service that starts again, until the signal is aborted. */
  readonly follow: boolean;
  /** Of each service only the last so many lines; null: all that are kept. */
  readonly tail: number | null;
  /** A `place` of before: only what came after it; null: from the beginning. */
  readonly after: string | null;
  /**
   * Of what a service prints while it is followed, so much a second, with some for each piece:
   * what comes faster is skipped, not kept waiting. Null: all of it, as fast as it is read.
   */
  readonly bytesPerSecond: number | null;
  readonly signal: AbortSignal;
}

/** An update, and the place in all logs that it leads to. */
export interface AllLogsPart {
  readonly place: string;
  readonly update: ServiceLogsUpdate;
}

/** One workspace, as its owner sees it. */
export interface AllLogsParts {
  summary(): Promise<WorkspaceSummary>;
  watch(signal: AbortSignal): AsyncIterable<WorkspaceUpdate>;
  log(service: string, request: LogRequest): AsyncIterable<LogPart>;
}

/** A piece is an object of JSON, also where it holds two bytes. */
const pieceCost = 100;
const windowMs = 1000;
/** After a pause: enough to fill a screen many times, and read in a moment. */
const linesAfterPause = 300;
/** A place goes back to us in an address, which holds about 16 KiB in all. */
const maxPlaceLength = 6000;

/**
 * What several services of a workspace print, as one stream that goes no faster than it is read:
 * first what is kept, in the order of time, then what comes. Nothing is gathered here: each service
 * has at most one part of its log waiting.
 *
 * @throws OneloopError `not-found` for a service that is not there
 */
export async function* readAllLogs(
  parts: AllLogsParts,
  request: AllLogsRequest,
): AsyncGenerator<AllLogsPart> {
  const summary = await parts.summary();
  const services = chosen(summary, request.services);
  const places = new Map(Object.entries(placesIn(request.after)));
  const { tail, signal } = request;
  const open = (service: string): AsyncIterable<LogPart> => {
    const after = places.get(service) ?? null;
    const of = { follow: false, after, tail: after === null ? tail : null, signal };
    return orNothing(parts.log(service, of));
  };
  for await (const pieces of keptLogs(services.map((name) => ({ name, parts: open(name) })))) {
    for (const { service, place } of pieces) places.set(service, place);
    yield { place: placeOf(places), update: { kind: "output", pieces: pieces.map(shown) } };
  }
  if (request.follow) {
    const followed = new Followed(parts, request, places);
    for await (const { service, place, update } of followed.updates(services)) {
      if (place !== null) places.set(service, place);
      yield { place: placeOf(places), update };
    }
  }
  if (!signal.aborted) yield { place: placeOf(places), update: { kind: "end" } };
}

function chosen(summary: WorkspaceSummary, names: readonly string[] | null): readonly string[] {
  const all = summary.services.map(({ name }) => name);
  const unknown = names?.find((name) => !all.includes(name));
  if (unknown === undefined) return names ?? all;
  throw new OneloopError(
    "not-found",
    `${summary.name} has no service ${unknown}. It has ${all.join(", ")}.`,
  );
}

/** Reads on where a service is, and again where it starts again. */
class Followed {
  readonly #parts: AllLogsParts;
  readonly #request: AllLogsRequest;
  /** Where each service's log was read to before. */
  readonly #places: ReadonlyMap<string, string>;
  readonly #handover = new Handover();
  readonly #stop = new AbortController();
  /** What each service was like when its log was opened last, and what it is like now. */
  readonly #opened = new Map<string, string>();
  readonly #now = new Map<string, string>();
  readonly #reading = new Map<string, Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  constructor(parts: AllLogsParts, request: AllLogsRequest, places: ReadonlyMap<string, string>) {
    this.#parts = parts;
    this.#request = request;
    this.#places = places;
  }

  async *updates(services: readonly string[]): AsyncGenerator<Handed> {
    const signal = AbortSignal.any([this.#request.signal, this.#stop.signal]);
    const watching = this.#watch(services, signal).catch((error: unknown) => this.#fail(error));
    try {
      yield* this.#handover.items(signal);
      if (this.#failure !== null) throw this.#failure.error;
    } finally {
      this.#stop.abort();
      this.#handover.close();
      await watching;
      await Promise.all(this.#reading.values());
    }
  }

  async #watch(services: readonly string[], signal: AbortSignal): Promise<void> {
    for await (const update of this.#parts.watch(signal)) {
      if (update.kind === "deleted") return this.#stop.abort();
      if (update.kind !== "state") continue;
      const { state: workspace } = update.workspace;
      for (const { name, state, restarts, since } of update.workspace.services) {
        if (!services.includes(name)) continue;
        this.#now.set(name, [workspace, state, restarts, since].join(" "));
        this.#consider(name, signal);
      }
    }
  }

  /** Opens a log anew only where something happened to its service since it was opened last. */
  #consider(service: string, signal: AbortSignal): void {
    const now = this.#now.get(service);
    if (signal.aborted || now === undefined || now === this.#opened.get(service)) return;
    if (this.#reading.has(service)) return;
    this.#opened.set(service, now);
    const reading = this.#read(service, signal)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#reading.delete(service);
        this.#consider(service, signal);
      });
    this.#reading.set(service, reading);
  }

  async #read(service: string, signal: AbortSignal): Promise<void> {
    let printed = false;
    for await (const part of this.#paced(service, signal)) {
      printed = true;
      const update: ServiceLogsUpdate =
        part === null ? { kind: "skipped", service, bytes: null } : ofService(service, part.update);
      await this.#handover.put({ service, place: part?.place ?? null, update });
    }
    if (!printed) return;
    await this.#handover.put({ service, place: null, update: { kind: "ended", service } });
  }

  /** The parts of a log, and null where some of it is left out because it comes too fast. */
  async *#paced(service: string, signal: AbortSignal): AsyncGenerator<LogPart | null> {
    const { bytesPerSecond, tail } = this.#request;
    let last = this.#places.get(service) ?? null;
    let lines = last === null ? tail : null;
    for (;;) {
      const pace = new Pace(bytesPerSecond);
      const request = { follow: true, after: last, tail: lines, signal };
      for await (const part of orNothing(this.#parts.log(service, request))) {
        last = part.place;
        yield part;
        if (pace.isOver(part)) break;
      }
      if (pace.restMs === null) return;
      yield null;
      await delay(pace.restMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      lines = linesAfterPause;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop.abort();
  }
}

/** How much came within the last second. */
class Pace {
  readonly #bytesPerSecond: number;
  #since = performance.now();
  #spent = 0;
  /** How long to wait after too much came; null: it did not. */
  restMs: number | null = null;

  constructor(bytesPerSecond: number | null) {
    this.#bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY;
  }

  isOver({ update }: LogPart): boolean {
    if (update.kind !== "output") return false;
    const now = performance.now();
    if (now - this.#since > windowMs) {
      this.#since = now;
      this.#spent = 0;
    }
    for (const { text } of update.pieces) this.#spent += text.length + pieceCost;
    if (this.#spent <= this.#bytesPerSecond) return false;
    this.restMs = Math.max(0, this.#since + windowMs - now);
    return true;
  }
}

/** An update, and where it leads to in the log of its service; null: nowhere else. */
interface Handed {
  readonly service: string;
  readonly place: string | null;
  readonly update: ServiceLogsUpdate;
}

/** Hands updates of several readers to one: who gives one goes on when it was taken. */
class Handover {
  readonly #waiting: { readonly handed: Handed; readonly taken: () => void }[] = [];
  readonly #poke = new Poke();
  #closed = false;

  put(handed: Handed): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ handed, taken });
      this.#poke.poke();
    });
  }

  async *items(signal: AbortSignal): AsyncGenerator<Handed> {
    do {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        try {
          yield next.handed;
        } finally {
          // Also where who reads leaves here.
          next.taken();
        }
      }
    } while (await this.#poke.wait(signal));
  }

  close(): void {
    this.#closed = true;
    for (const { taken } of this.#waiting.splice(0)) taken();
  }
}

/** Of a service that was not started, or that has no command of its own, there is nothing yet. */
async function* orNothing(log: AsyncIterable<LogPart>): AsyncGenerator<LogPart> {
  try {
    yield* log;
  } catch (error) {
    const nothing =
      error instanceof OneloopError &&
      (error.code === "workspace-not-running" || error.code === "not-found");
    if (!nothing) throw error;
  }
}

function ofService(service: string, update: LogUpdate): ServiceLogsUpdate {
  switch (update.kind) {
    case "output":
      return { kind: "output", pieces: update.pieces.map((piece) => ({ service, ...piece })) };
    case "skipped":
      return { kind: "skipped", service, bytes: update.bytes };
    case "end":
      return { kind: "ended", service };
    default:
      return update satisfies never;
  }
}

function shown({ service, at, stream, text }: Printed) {
  return { service, at, stream, text };
}

/** `-`: there are too many services for an address; after a break it begins anew. */
function placeOf(places: ReadonlyMap<string, string>): string {
  const text = JSON.stringify(Object.fromEntries(places));
  return text.length > maxPlaceLength ? "-" : text;
}

function placesIn(place: string | null): Readonly<Record<string, string>> {
  if (place === null || place === "-") return {};
  try {
    const read: unknown = JSON.parse(place);
    if (typeof read !== "object" || read === null) return {};
    return Object.fromEntries(
      Object.entries(read).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      ),
    );
  } catch {
    return {};
  }
}
