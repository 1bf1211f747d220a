import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { awaitEcho, echoCame } from "../../../server/util/echoes.ts";
import { Turns } from "../../../server/util/turns.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The clock that echoes are timed by is the process's: no test begins before the one before it ended. */
let beginMs = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  beginMs += 60_000;
  vi.advanceTimersByTime(beginMs);
});

afterEach(() => {
  vi.advanceTimersByTime(1000);
  vi.useRealTimers();
});

/** Somebody types, and what they typed is shown so much later. */
function type(echoMs: number): void {
  awaitEcho();
  vi.advanceTimersByTime(echoMs);
  echoCame();
}

/** How many ms a stream rests after a turn of so much, which it read in pieces of such a size. */
async function restOf(turns: Turns, stream: PassThrough, pieceBytes = 64 * 1024): Promise<number> {
  for (let bytes = 0; bytes < 128 * 1024; bytes += pieceBytes) turns.took(pieceBytes);
  expect(stream.isPaused()).toBe(true);
  await turn();
  for (let ms = 0; ms < 100; ms += 1) {
    if (!stream.isPaused()) return ms;
    vi.advanceTimersByTime(1);
  }
  throw new Error("it rests on");
}

test("after so much a stream rests until the others had their turn", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  turns.took(127 * 1024);
  expect(stream.isPaused()).toBe(false);
  turns.took(1024);
  expect(stream.isPaused()).toBe(true);
  await turn();
  expect(stream.isPaused()).toBe(false);
});

test("what its reader holds does not go on by itself, and what rests is not woken", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  turns.took(128 * 1024);
  turns.release();
  expect(stream.isPaused()).toBe(true);
  turns.hold();
  await turn();
  expect(stream.isPaused()).toBe(true);
  turns.release();
  expect(stream.isPaused()).toBe(false);
});

test("while an echo is awaited much rests, and little goes on", async () => {
  const [much, little] = [new PassThrough().resume(), new PassThrough().resume()];
  awaitEcho();
  new Turns(much).took(16 * 1024);
  new Turns(little).took(1024);
  await turn();
  expect([much.isPaused(), little.isPaused()]).toEqual([true, false]);
  echoCame();
  expect(much.isPaused()).toBe(false);
});

test("what its reader holds is not woken by an echo", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  awaitEcho();
  turns.took(16 * 1024);
  await turn();
  turns.hold();
  echoCame();
  expect(stream.isPaused()).toBe(true);
});

test("who types without an echo holds what others move for half of the time at most", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  let restedMs = 0;
  for (let ms = 0; ms < 1000; ms += 1) {
    awaitEcho();
    turns.took(16 * 1024);
    await turn();
    if (stream.isPaused()) restedMs += 1;
    vi.advanceTimersByTime(1);
  }
  expect(restedMs).toBeGreaterThan(100);
  expect(restedMs).toBeLessThanOrEqual(500);
});

test("while somebody types whose echo came late, what moves much rests after each turn", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  type(1);
  expect(await restOf(turns, stream)).toBe(0);
  type(3);
  expect(await restOf(turns, stream)).toBe(1);
  // With the rests echoes are quick, and would be late without.
  for (let ms = 0; ms < 4000; ms += 100) {
    type(1);
    vi.advanceTimersByTime(98);
    expect(await restOf(turns, stream)).toBe(1);
  }
  vi.advanceTimersByTime(1000);
  type(1);
  expect(await restOf(turns, stream)).toBe(0);
});

test("nothing rests for who typed a while ago, or little", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  type(3);
  expect(await restOf(turns, stream, 8 * 1024)).toBe(0);
  vi.advanceTimersByTime(500);
  expect(await restOf(turns, stream)).toBe(0);
});

test("what is shown when a command ends is no late echo", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  type(100);
  expect(await restOf(turns, stream)).toBe(0);
});

test("an echo is late by what was typed first of all that was not shown yet", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  awaitEcho();
  vi.advanceTimersByTime(2);
  type(1);
  expect(await restOf(turns, stream)).toBe(1);
});
