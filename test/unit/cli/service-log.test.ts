import { expect, test, vi } from "vitest";
import type { Api } from "../../../cli/src/api.ts";
import { Output } from "../../../cli/src/output.ts";
import { printAllLogs } from "../../../cli/src/all-logs.ts";
import { Lines, shownLine } from "../../../cli/src/log-lines.ts";
import { printServiceLog } from "../../../cli/src/service-log.ts";
import type { LogUpdate, ServiceLogsUpdate } from "../../../cli/src/wire.ts";

class Screen {
  written = "";
  readonly isTTY: boolean;
  /** Bytes that its reader leaves, until the next turn of the loop. */
  writableLength = 0;
  largest = 0;
  readonly #slow: boolean;

  constructor({ tty = false, slow = false }: { tty?: boolean; slow?: boolean }) {
    this.isTTY = tty;
    this.#slow = slow;
  }

  write(text: string): void {
    this.written += text;
    if (this.#slow) this.writableLength += text.length;
    this.largest = Math.max(this.largest, this.writableLength);
  }

  once(_event: "drain", listener: () => void): void {
    setImmediate(() => {
      this.writableLength = 0;
      listener();
    });
  }
}

interface Listener<Update> {
  readonly onData: (event: { id: string; data: Update }) => void;
}

/** What comes after a break begins behind the last that was heard of. */
function subscriptionOf<Update>(updates: readonly Update[]) {
  return (wish: { lastEventId: string | null }, to: Listener<Update>) => {
    const next = Number(wish.lastEventId ?? -1) + 1;
    queueMicrotask(() => {
      for (const [index, data] of updates.entries()) {
        if (index >= next) to.onData({ id: String(index), data });
      }
    });
    return { unsubscribe: () => undefined };
  };
}

interface Options {
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly tty?: boolean;
  readonly slow?: boolean;
  readonly grep?: string;
}

/** Prints what a control plane sends, as far as it gets. */
async function printed(
  updates: readonly LogUpdate[],
  options: Options = {},
): Promise<{ stdout: string; stderr: string; largest: number }> {
  const { json = false, follow = false, grep = null } = options;
  const [stdout, stderr] = [new Screen(options), new Screen(options)];
  const api = { workspaces: { log: { subscribe: subscriptionOf(updates) } } } as unknown as Api;
  const wish = { workspace: "w", service: "db", follow, tail: null };
  await printServiceLog(api, wish, { json, grep, output: new Output(stdout, stderr) });
  return { stdout: stdout.written, stderr: stderr.written, largest: stdout.largest };
}

/** The same of all services. */
async function printedAll(
  updates: readonly ServiceLogsUpdate[],
  options: Options = {},
): Promise<{ stdout: string; stderr: string; largest: number }> {
  const { json = false, follow = false, grep = null } = options;
  const [stdout, stderr] = [new Screen(options), new Screen(options)];
  const api = { services: { logs: { subscribe: subscriptionOf(updates) } } } as unknown as Api;
  const wish = { workspace: "w", services: ["db", "front-end"], follow, tail: null };
  await printAllLogs(api, wish, { json, grep, output: new Output(stdout, stderr) });
  return { stdout: stdout.written, stderr: stderr.written, largest: stdout.largest };
}

function output(text: string, stream: "stdout" | "stderr" = "stdout"): LogUpdate {
  return { kind: "output", pieces: [{ at: "2026-01-05T09:00:00Z", stream, text }] };
}

const end: LogUpdate = { kind: "end" };

test("on a pipe a log is as the service printed it, each stream where it belongs", async () => {
  const text = "\u001B[31mred\u001B[0m\r\n\tno newline";
  expect(await printed([output(text), output("oops\n", "stderr"), end])).toMatchObject({
    stdout: text,
    stderr: "oops\n",
  });
});

test("on a terminal nothing of it steers the terminal, also where it came in parts", async () => {
  const parts = ["\u001B[3", "1mred\u001B[0m \u001B]0;title\u0007x\n", "10%\r100%\r\n", "\tlast"];
  const { stdout } = await printed([...parts.map((part) => output(part)), end], { tty: true });
  expect(stdout).toBe("red x\n100%\n\tlast\n");
});

test("a reader who is behind is waited for, and then gets the rest from where it was", async () => {
  const megabyte = "x".repeat(1_000_000);
  const updates = Array.from({ length: 20 }, (_, index) => output(`${index}${megabyte}`));
  const { stdout, largest } = await printed([...updates, end], { slow: true });
  expect(stdout).toBe(updates.map((_, index) => `${index}${megabyte}`).join(""));
  expect(largest).toBeLessThan(6_000_000);
});

test("a control plane that stays away is given up, however often it is tried again", async () => {
  vi.useFakeTimers();
  try {
    const told: { state: (state: string) => void } = { state: () => undefined };
    const subscribe = (_wish: unknown, to: { onConnectionStateChange: (to: object) => void }) => {
      told.state = (state) => to.onConnectionStateChange({ state });
      return { unsubscribe: () => undefined };
    };
    const api = { workspaces: { log: { subscribe } } } as unknown as Api;
    const wish = { workspace: "w", service: "db", follow: true, tail: null };
    const output = new Output(new Screen({}), new Screen({}));
    const printing = printServiceLog(api, wish, { json: false, grep: null, output });
    const failed = printing.catch((error: unknown) => error);
    told.state("connecting");
    vi.advanceTimersByTime(20_000);
    told.state("pending");
    for (let tries = 0; tries < 5; tries += 1) {
      told.state("connecting");
      vi.advanceTimersByTime(7000);
    }
    expect(String(await failed)).toContain("did not come back");
  } finally {
    vi.useRealTimers();
  }
});

test("what was not kept is said, and that a log that is followed has ended", async () => {
  const { stderr } = await printed([{ kind: "skipped", bytes: 7 }, end], { follow: true });
  expect(stderr).toBe(
    "loop: 7 bytes are missing here: they were not kept long enough.\n" +
      "The log ends: db runs no more.\n",
  );
});

test("for a program it is a list, or an object a line where it is followed", async () => {
  const updates = [output("one\ntw"), output("o\n"), output("rest"), end];
  const at = "2026-01-05T09:00:00Z";
  const lines = [
    { at, stream: "stdout", text: "one" },
    { at, stream: "stdout", text: "two" },
    { at: null, stream: "stdout", text: "rest" },
  ];
  expect(JSON.parse((await printed(updates, { json: true })).stdout)).toEqual(lines);
  const { stdout } = await printed(updates, { json: true, follow: true });
  const followed = stdout.trim().split("\n");
  expect(followed.map((line): unknown => JSON.parse(line))).toEqual(lines);
});

test("a line without an end is shown in parts, and not kept for ever", () => {
  const lines = new Lines();
  expect(lines.push("x".repeat(70_000))).toHaveLength(1);
  expect(lines.push("y\n")).toEqual(["y"]);
  expect(shownLine("a\tb\u0000\r")).toBe("a\tb");
});

test("only lines with a text are printed, also where it came in parts, and as a program reads it", async () => {
  const updates = [output("all is well\nERR"), output("OR 7\nfine\n"), output("ERROR 8"), end];
  expect((await printed(updates, { grep: "ERROR" })).stdout).toBe("ERROR 7\nERROR 8\n");
  const { stdout } = await printed(updates, { grep: "ERROR 7", json: true });
  expect(JSON.parse(stdout)).toEqual([
    { at: "2026-01-05T09:00:00Z", stream: "stdout", text: "ERROR 7" },
  ]);
  const coloured = [output("\u001B[31mERR\u001B[0mOR\n"), end];
  expect((await printed(coloured, { grep: "ERROR", tty: true })).stdout).toBe("ERROR\n");
});

function pieces(...of: readonly (readonly [string, string])[]): ServiceLogsUpdate {
  return {
    kind: "output",
    pieces: of.map(([service, text]) => ({ service, at: "t", stream: "stdout" as const, text })),
  };
}

test("of all services each line has the service's name, and parts of lines find each other", async () => {
  const updates = [
    pieces(["db", "re"], ["front-end", "GET /\n"], ["db", "ady\nlast"]),
    { kind: "ended", service: "db" },
    { kind: "skipped", service: "db", bytes: null },
    pieces(["front-end", "\u001B]0;title\u0007no end"]),
    { kind: "end" },
  ] as const;
  const { stdout, stderr } = await printedAll(updates);
  expect(stdout).toBe(
    ["front-end | GET /", "db        | ready", "db        | last", "front-end | no end", ""].join(
      "\n",
    ),
  );
  expect(stderr).toBe("db: loop: some bytes are missing here: they were not kept long enough.\n");
  const json = await printedAll(updates, { json: true, grep: "ready" });
  expect(JSON.parse(json.stdout)).toEqual({
    ...{ service: "db", at: "t", stream: "stdout", text: "ready" },
  });
});

test("names are coloured on a terminal, each its own, and what is printed colours nothing", async () => {
  const updates = [
    pieces(["db", "\u001B[31mred\n"], ["front-end", "x\n"]),
    { kind: "end" },
  ] as const;
  const { stdout } = await printedAll(updates, { tty: true });
  expect(stdout).toBe("\u001B[36mdb        |\u001B[0m red\n\u001B[33mfront-end |\u001B[0m x\n");
});

test("all logs wait for a reader who is behind, as one does", async () => {
  const megabyte = "x".repeat(1_000_000);
  const updates: ServiceLogsUpdate[] = Array.from({ length: 20 }, () =>
    pieces(["db", `${megabyte}\n`]),
  );
  const { stdout, largest } = await printedAll([...updates, { kind: "end" }], { slow: true });
  expect(stdout.split("\n")).toHaveLength(21);
  expect(largest).toBeLessThan(6_000_000);
});
