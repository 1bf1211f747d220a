import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { testSupervisor } from "./harness.ts";

const idleMs = 50;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A supervisor that says when it was idle for so long; it does not end then, as its program does. */
async function supervised() {
  const onIdle = vi.fn<() => void>();
  const supervisor = await testSupervisor({ idle: { ms: idleMs, onIdle } });
  return { supervisor, onIdle, [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose]() };
}

test("it is idle when it has neither a connection nor a program", async () => {
  await using one = await supervised();
  vi.advanceTimersByTime(idleMs - 1);
  expect(one.onIdle).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(one.onIdle).toHaveBeenCalledOnce();
});

test("a program that nobody looks at keeps it, until that ends", async () => {
  await using one = await supervised();
  const { supervisor, onIdle } = one;
  const { id } = await supervisor.createTerminal(["cat"]);
  vi.advanceTimersByTime(10 * idleMs);
  expect(onIdle).not.toHaveBeenCalled();
  await supervisor.http("DELETE", `/terminals/${id}`);
  // It is told of its program's end by the kernel, and when that is nobody else is told.
  while (onIdle.mock.calls.length === 0) {
    await turn();
    vi.advanceTimersByTime(idleMs);
  }
});

test("a connection keeps it", async () => {
  await using one = await supervised();
  using _control = await one.supervisor.control();
  vi.advanceTimersByTime(10 * idleMs);
  expect(one.onIdle).not.toHaveBeenCalled();
});
