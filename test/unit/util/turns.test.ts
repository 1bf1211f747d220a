import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { awaitEcho, echoCame } from "../../../server/util/echoes.ts";
import { Turns } from "../../../server/util/turns.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});

afterEach(() => {
  vi.advanceTimersByTime(1000);
  vi.useRealTimers();
});

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
