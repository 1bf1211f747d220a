import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ShortWaits, type From } from "../../../server/util/short-waits.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Two that answer each other: it takes so many ms where we sleep meanwhile, and so many where we do not. */
class Peer {
  asleepMs: number;
  awakeMs: number;
  bytes = 100;
  turns: readonly From[] = ["client", "workspace"];
  readonly #waits = new ShortWaits((untilMs) => {
    this.#awakeUntil = untilMs;
  });
  #awakeUntil = -Infinity;

  constructor(asleepMs: number, awakeMs: number) {
    this.asleepMs = asleepMs;
    this.awakeMs = awakeMs;
  }

  /** @returns for how many of so many answers it stayed awake until they came. */
  answer(times: number): number {
    let awake = 0;
    for (let at = 0; at < times; at += 1) {
      this.#awakeUntil = -Infinity;
      this.#waits.passed(this.turns[at % this.turns.length] ?? "client", this.bytes);
      const isAwake = performance.now() + this.awakeMs <= this.#awakeUntil;
      if (isAwake) awake += 1;
      vi.advanceTimersByTime(isAwake ? this.awakeMs : this.asleepMs);
    }
    return awake;
  }
}

test("stays awake for answers that come sooner then", () => {
  const peer = new Peer(0.2, 0.1);
  expect(peer.answer(50)).toBe(0);
  expect(peer.answer(4000)).toBeGreaterThan(3800);
});

test("sleeps where staying awake makes the answers slower, and tries it now and then", () => {
  const peer = new Peer(0.1, 0.2);
  const awake = peer.answer(4000);
  expect(awake).toBeGreaterThan(0);
  expect(awake).toBeLessThan(200);
});

test("notices that others want the processor now, and that they do no more", () => {
  const peer = new Peer(0.2, 0.1);
  peer.answer(1000);
  peer.awakeMs = 0.24;
  peer.answer(3000);
  expect(peer.answer(1500)).toBeLessThan(150);
  peer.awakeMs = 0.1;
  peer.answer(3000);
  expect(peer.answer(1500)).toBeGreaterThan(1350);
});

test.each([
  { title: "that take longer anyway", asleepMs: 0.3, bytes: 100 },
  { title: "that are large", asleepMs: 0.1, bytes: 32 * 1024 },
  { title: "that somebody has to think of first", asleepMs: 6, bytes: 100 },
])("sleeps for answers $title", ({ asleepMs, bytes }) => {
  const peer = new Peer(asleepMs, 0.05);
  peer.bytes = bytes;
  expect(peer.answer(1000)).toBe(0);
});

test("sleeps while one side alone sends", () => {
  const peer = new Peer(0.2, 0.05);
  peer.turns = ["workspace"];
  expect(peer.answer(1000)).toBe(0);
});

test("is awake for the answers alone where somebody says several things at a time", () => {
  const peer = new Peer(0.2, 0.1);
  peer.turns = ["client", "workspace", "workspace", "workspace"];
  const awake = peer.answer(4000);
  expect(awake).toBeGreaterThan(1700);
  expect(awake).toBeLessThanOrEqual(2000);
});

test("sleeps again after a pause", () => {
  const peer = new Peer(0.2, 0.1);
  peer.answer(1000);
  vi.advanceTimersByTime(10);
  expect(peer.answer(50)).toBe(0);
});

test("the event loop goes round meanwhile, and ends", async () => {
  vi.useRealTimers();
  const goesRound = (): boolean => process.getActiveResourcesInfo().includes("Immediate");
  const waits = new ShortWaits();
  // This process may lose the processor for longer than a short wait.
  for (let times = 0; times < 1_000_000 && !goesRound(); times += 1) {
    waits.passed(times % 2 === 0 ? "client" : "workspace", 100);
  }
  expect(goesRound()).toBe(true);
  await vi.waitFor(() => expect(goesRound()).toBe(false));
});
