import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Turns } from "../../../server/util/turns.ts";

test("after so much a stream rests until the others had their turn", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  turns.took(127 * 1024);
  expect(stream.isPaused()).toBe(false);
  turns.took(1024);
  expect(stream.isPaused()).toBe(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.isPaused()).toBe(false);
});

test("what its reader holds does not go on by itself, and what rests is not woken", async () => {
  const stream = new PassThrough().resume();
  const turns = new Turns(stream);
  turns.took(128 * 1024);
  turns.release();
  expect(stream.isPaused()).toBe(true);
  turns.hold();
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.isPaused()).toBe(true);
  turns.release();
  expect(stream.isPaused()).toBe(false);
});
