import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { ServiceState, WorkspaceUpdate } from "../../../server/protocol/workspace.ts";
import { Poke } from "../../../server/util/poke.ts";
import {
  readAllLogs,
  type AllLogsPart,
  type AllLogsRequest,
} from "../../../server/workspaces/all-logs.ts";
import type { LogPart, LogRequest } from "../../../server/workspaces/service-logs.ts";
import { workspaceDetail } from "../cli/workspace.ts";

/** A workspace whose services print what a test lets them print. */
class World {
  readonly #logs: Readonly<Record<string, (request: LogRequest) => AsyncIterable<LogPart>>>;
  #services: { name: string; state: ServiceState; restarts: number }[];
  readonly #changed = new Poke();
  readonly asked: { service: string; after: string | null; tail: number | null }[] = [];

  constructor(logs: Record<string, (request: LogRequest) => AsyncIterable<LogPart>>) {
    this.#logs = logs;
    this.#services = Object.keys(logs).map((name) => ({ name, state: "running", restarts: 0 }));
  }

  restarted(name: string): void {
    this.#services = this.#services.map((one) =>
      one.name === name ? { ...one, restarts: one.restarts + 1 } : one,
    );
    this.#changed.poke();
  }

  #summary() {
    const [service] = workspaceDetail.services;
    if (service === undefined) throw new Error("the fixture has a service");
    return {
      ...workspaceDetail,
      services: this.#services.map((one) => ({ ...service, ...one })),
    };
  }

  read(request: Partial<AllLogsRequest> = {}): AsyncGenerator<AllLogsPart> {
    const parts = {
      summary: () => Promise.resolve(this.#summary()),
      watch: (signal: AbortSignal) => this.#watch(signal),
      log: (service: string, wish: LogRequest) => {
        const { follow, after, tail } = wish;
        if (follow) this.asked.push({ service, after, tail });
        const log = this.#logs[service];
        if (log === undefined) throw new Error(`nobody prints as ${service}`);
        return log(wish);
      },
    };
    return readAllLogs(parts, {
      ...{ services: null, follow: false, tail: null, after: null, bytesPerSecond: null },
      signal: new AbortController().signal,
      ...request,
    });
  }

  async *#watch(signal: AbortSignal): AsyncGenerator<WorkspaceUpdate> {
    do yield { kind: "state", workspace: this.#summary() };
    while (await this.#changed.wait(signal));
  }
}

function part(at: string, ...texts: readonly string[]): LogPart {
  const pieces = texts.map((text, index) => {
    return { at: texts.length === 1 ? at : `${at}${index}`, stream: "stdout" as const, text };
  });
  return { place: pieces.at(-1)?.at ?? at, update: { kind: "output", pieces } };
}

/** A log that ends: what was printed after the place that is asked for. */
function kept(...parts: readonly LogPart[]) {
  return async function* (request: LogRequest): AsyncGenerator<LogPart> {
    await turn();
    yield* parts.filter(({ place }) => request.after === null || place > request.after);
  };
}

/** `service text`, and other updates by their kind. */
function words({ update }: AllLogsPart): string[] {
  if (update.kind === "output")
    return update.pieces.map(({ service, text }) => `${service} ${text}`);
  return [update.kind === "end" ? "end" : `${update.kind} ${update.service}`];
}

async function collect(parts: AsyncIterable<AllLogsPart>): Promise<string[]> {
  const collected: string[] = [];
  for await (const one of parts) collected.push(...words(one));
  return collected;
}

test("what is kept of several services comes in the order of time, with its service", async () => {
  const world = new World({
    web: kept(part("1", "a", "b"), part("5", "e")),
    db: kept(part("3", "c"), part("4", "d"), part("6", "f")),
  });
  expect(await collect(world.read())).toEqual([
    ...["web a", "web b", "db c", "db d", "web e", "db f", "end"],
  ]);
  expect(await collect(world.read({ services: ["db"] }))).toEqual(["db c", "db d", "db f", "end"]);
});

test("after a break it goes on where each of them was", async () => {
  const world = new World({
    web: kept(part("1", "a"), part("5", "e")),
    db: kept(part("3", "c"), part("6", "f")),
  });
  const first = await world.read().next();
  const begun = JSON.stringify({ web: "1", db: "6" });
  expect(await collect(world.read({ after: begun }))).toEqual(["web e", "end"]);
  expect(
    await collect(world.read({ after: first.done === true ? null : first.value.place })),
  ).toEqual(["end"]);
  expect(await collect(world.read({ after: "{no place" }))).toHaveLength(5);
});

test("a service that is not there is named, and one that never started prints nothing", async () => {
  const world = new World({
    web: kept(part("1", "a")),
    // oxlint-disable-next-line require-yield -- it has nothing to give
    late: async function* () {
      await turn();
      throw new OneloopError("workspace-not-running", "late was not started yet.");
    },
  });
  expect(await collect(world.read())).toEqual(["web a", "end"]);
  await expect(collect(world.read({ services: ["mail"] }))).rejects.toThrow("It has web, late");
  const broken = new World({
    // oxlint-disable-next-line require-yield -- it fails before
    web: async function* () {
      await turn();
      throw new OneloopError("engine-failed", "The engine is gone.");
    },
  });
  await expect(collect(broken.read())).rejects.toThrow("The engine is gone.");
  await expect(collect(broken.read({ follow: true }))).rejects.toThrow("The engine is gone.");
});

test("a followed service that starts again is read on behind what it printed before", async () => {
  let starts = 0;
  const world = new World({
    web: async function* ({ follow }: LogRequest): AsyncGenerator<LogPart> {
      await turn();
      if (!follow) return yield part("1", "kept");
      starts += 1;
      yield part(`${starts + 1}`, `start ${starts}`);
    },
  });
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const one of world.read({ follow: true, signal: stop.signal })) {
    seen.push(...words(one));
    if (seen.at(-1) !== "ended web") continue;
    if (starts === 3) stop.abort();
    else world.restarted("web");
  }
  expect(seen).toEqual([
    ...["web kept", "web start 1", "ended web", "web start 2", "ended web"],
    ...["web start 3", "ended web"],
  ]);
  expect(world.asked.map(({ after }) => after)).toEqual(["1", "2", "3"]);
});

test("what prints without end waits for who reads, and keeps the others' place", async () => {
  let printed = 0;
  const world = new World({
    flood: async function* ({ follow, signal }: LogRequest): AsyncGenerator<LogPart> {
      if (!follow) return;
      while (!signal.aborted) {
        printed += 1;
        yield part(String(printed).padStart(9, "0"), "x".repeat(1000));
      }
    },
    quiet: async function* ({ follow }: LogRequest): AsyncGenerator<LogPart> {
      await turn();
      if (follow) yield part("1", "one");
    },
  });
  const reading = world.read({ follow: true });
  const first: string[] = [];
  for await (const one of reading) {
    first.push(...words(one).map((word) => word.slice(0, 11)));
    await turn();
    if (first.length === 40) break;
  }
  expect(first).toContain("quiet one");
  expect(first).toContain("ended quiet");
  expect(printed).toBeLessThan(50);
});

test("what comes too fast is left out, which is said, and then it goes on with the last lines", async () => {
  const world = new World({
    flood: async function* ({ follow, after, signal }: LogRequest): AsyncGenerator<LogPart> {
      const from = Number(after ?? 0);
      if (!follow) return;
      for (let at = from + 1; !signal.aborted; at += 1) {
        yield part(String(at).padStart(9, "0"), "x".repeat(4000));
      }
    },
  });
  const stop = new AbortController();
  const counts: number[] = [0];
  for await (const { update } of world.read({
    ...{ follow: true, bytesPerSecond: 20_000, signal: stop.signal },
  })) {
    if (update.kind === "skipped") counts.push(0);
    else counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1;
    if (counts.length === 3) stop.abort();
  }
  expect(counts).toEqual([5, 5, 0]);
  expect(world.asked.map(({ tail }) => tail)).toEqual([null, 300]);
});
