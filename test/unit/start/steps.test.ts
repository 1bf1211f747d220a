import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { createSteps, StepFailure } from "../../../server/start/steps.js";

/** What a reader sees: a terminal's line is what was written since it was last cleared. */
class Screen extends PassThrough {
  readonly isTTY: boolean;
  readonly columns = 40;
  #text = "";

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
    this.on("data", (piece: Buffer) => (this.#text += piece.toString()));
  }

  get raw(): string {
    return this.#text;
  }

  get lines(): string[] {
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    return this.#text.split("\n").map((line) => line.replace(/^.*\r\u001B\[K/s, ""));
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const untilCalled = (): { promise: Promise<void>; resolve: () => void } => {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
};

test("in a pipe a step is one line at its end, with its note and how long it took", async () => {
  const screen = new Screen(false);
  const steps = createSteps(screen);
  const result = await steps.run("Build", async ({ say, note }) => {
    say("src/a.ts");
    note("up to date");
    await vi.advanceTimersByTimeAsync(350);
    return 7;
  });
  expect(result).toBe(7);
  expect(screen.raw).toBe("✓ Build: up to date (350 ms)\n");
});

test("in a pipe one that takes longer says that it runs: no minutes pass in silence", async () => {
  const screen = new Screen(false);
  const go = untilCalled();
  const running = createSteps(screen).run("Images", () => go.promise);
  await vi.advanceTimersByTimeAsync(1999);
  expect(screen.raw).toBe("");
  await vi.advanceTimersByTimeAsync(1);
  expect(screen.raw).toBe("… Images\n");
  await vi.advanceTimersByTimeAsync(1300);
  go.resolve();
  await running;
  expect(screen.raw).toBe("… Images\n✓ Images (3.3 s)\n");
});

test("one that fails is marked, and its error goes on", async () => {
  const screen = new Screen(false);
  const error = new StepFailure("Mend it.");
  const running = createSteps(screen).run("Build", () => Promise.reject(error));
  await expect(running).rejects.toBe(error);
  expect(screen.raw).toBe("✗ Build (0 ms)\n");
});

test("on a terminal the line shows what a step does now, without control characters, cut", async () => {
  const screen = new Screen(true);
  const steps = createSteps(screen);
  const go = untilCalled();
  const running = steps.run("Images", async ({ say }) => {
    expect(screen.lines.at(-1)).toMatch(/^. Images …$/);
    say("pulling\u001B[2J\n");
    expect(screen.lines.at(-1)).toMatch(/^. Images: pulling \[2J$/);
    say("x".repeat(200));
    expect(screen.lines.at(-1)?.length).toBe(screen.columns - 1);
    await go.promise;
  });
  const before = screen.lines.at(-1)?.[0];
  await vi.advanceTimersByTimeAsync(100);
  expect(screen.lines.at(-1)?.[0]).not.toBe(before);
  steps.print("beside it");
  expect(screen.lines.at(-2)).toBe("beside it");
  expect(screen.lines.at(-1)).toMatch(/Images/);
  go.resolve();
  await running;
  expect(screen.lines.slice(-2)).toEqual(["✓ Images (100 ms)", ""]);
  const { raw } = screen;
  await vi.advanceTimersByTimeAsync(1000);
  expect(screen.raw).toBe(raw);
});

test("of two that run, the line is the one's that spoke last, and both are listed", async () => {
  const screen = new Screen(true);
  const steps = createSteps(screen);
  const [first, second] = [untilCalled(), untilCalled()];
  const one = steps.run("PostgreSQL", () => first.promise);
  const other = steps.run("Docker engine", () => second.promise);
  expect(screen.lines.at(-1)).toMatch(/Docker engine/);
  second.resolve();
  await other;
  expect(screen.lines.at(-1)).toMatch(/PostgreSQL/);
  first.resolve();
  await one;
  expect(screen.lines).toEqual(["✓ Docker engine (0 ms)", "✓ PostgreSQL (0 ms)", ""]);
});

test.each([
  ["", true],
  ["y", true],
  ["YES", true],
  ["n", false],
  ["what?", false],
])(
  "an answer of %j to a question is %s; until then the line is the question's",
  async (text, meant) => {
    const [screen, keyboard] = [new Screen(true), new Screen(true)];
    const steps = createSteps(screen, keyboard);
    const asking = steps.run("Docker engine", () => steps.ask("Install it?"));
    await vi.advanceTimersByTimeAsync(1000);
    const { raw } = screen;
    expect(raw).toMatch(/Install it\? \[Y\/n\] (?!.*Docker engine)/s);
    await vi.advanceTimersByTimeAsync(1000);
    expect(screen.raw).toBe(raw);
    keyboard.write(`${text}\n`);
    expect(await asking).toBe(meant);
    // Nobody reads on: it would keep the process.
    expect(keyboard.isPaused()).toBe(true);
  },
);

test("where nobody can answer nothing is asked", async () => {
  for (const [screen, keyboard] of [
    [new Screen(false), new Screen(true)],
    [new Screen(true), new Screen(false)],
  ] as const) {
    expect(await createSteps(screen, keyboard).ask("Install it?")).toBeNull();
    expect(screen.raw).toBe("");
  }
});

test("a failure says what to do, after the begin and the end of the program's output", () => {
  const screen = new Screen(false);
  const output = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  const cause = new Error("the disk is full");
  createSteps(screen).fail(new StepFailure("npm could not install.", { output, cause }));
  const shown = screen.lines.filter((line) => line.startsWith("    "));
  expect(shown).toHaveLength(40);
  expect([shown[0], shown[9], shown[10], shown.at(-1)]).toEqual(
    ["line 0", "line 9", "…", "line 99"].map((line) => `    ${line}`),
  );
  expect(screen.lines.slice(-4)).toEqual([
    "",
    "npm could not install.",
    "  because: the disk is full",
    "",
  ]);
});

test("a stack is shown only of what nobody foresaw", () => {
  for (const [error, hasStack] of [
    [new OneloopError("bad-input", "Wrong settings."), false],
    [new StepFailure("Wrong settings."), false],
    [new TypeError("Wrong settings."), true],
  ] as const) {
    const screen = new Screen(false);
    createSteps(screen).fail(error);
    expect(/^ +at /m.test(screen.raw)).toBe(hasStack);
    expect(screen.raw).toContain("Wrong settings.");
  }
});
