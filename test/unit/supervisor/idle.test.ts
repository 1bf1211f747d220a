import { expect, test } from "vitest";
import { testSupervisor } from "./harness.ts";

/** A supervisor that says when it was idle for so long; it does not end then, as its program does. */
async function idleAfter(ms: number) {
  let onIdle = (): void => undefined;
  const idle = new Promise<void>((resolve) => (onIdle = resolve));
  let wasIdle = false;
  void idle.then(() => (wasIdle = true));
  const supervisor = await testSupervisor({ idle: { ms, onIdle: () => onIdle() } });
  return {
    supervisor,
    idle,
    wasIdle: () => wasIdle,
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  };
}

test("it is idle when it has neither a connection nor a program", async () => {
  await using one = await idleAfter(20);
  await one.idle;
});

test("a program that nobody looks at keeps it, until that ends", async () => {
  await using one = await idleAfter(50);
  const { supervisor } = one;
  const { id } = await supervisor.createTerminal(["cat"]);
  // As long as several waits: without the program it would be idle now.
  await supervisor.sh("sleep 0.3");
  expect(one.wasIdle()).toBe(false);
  await supervisor.http("DELETE", `/terminals/${id}`);
  await one.idle;
});

test("a connection keeps it", async () => {
  await using one = await idleAfter(50);
  using _control = await one.supervisor.control();
  await one.supervisor.sh("sleep 0.3");
  expect(one.wasIdle()).toBe(false);
});
