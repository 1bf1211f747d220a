import { expect, test } from "vitest";
import type { Api } from "../../../cli/src/api.ts";
import { Output } from "../../../cli/src/output.ts";
import { Lines, printServiceLog, shownLine } from "../../../cli/src/service-log.ts";
import type { LogUpdate } from "../../../cli/src/wire.ts";

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

interface Listener {
  readonly onData: (event: { id: string; data: LogUpdate }) => void;
}

/** Prints what a control plane sends, as far as it gets. */
async function printed(
  updates: readonly LogUpdate[],
  options: {
    readonly json?: boolean;
    readonly follow?: boolean;
    readonly tty?: boolean;
    readonly slow?: boolean;
  } = {},
): Promise<{ stdout: string; stderr: string; largest: number }> {
  const { json = false, follow = false } = options;
  const [stdout, stderr] = [new Screen(options), new Screen(options)];
  const api = {
    workspaces: {
      log: {
        subscribe: (wish: { lastEventId: string | null }, to: Listener) => {
          // What comes after a break begins behind the last that was heard of.
          const next = Number(wish.lastEventId ?? -1) + 1;
          queueMicrotask(() => {
            for (const [index, data] of updates.entries()) {
              if (index >= next) to.onData({ id: String(index), data });
            }
          });
          return { unsubscribe: () => undefined };
        },
      },
    },
  } as unknown as Api;
  const wish = { workspace: "w", service: "db", follow, tail: null };
  await printServiceLog(api, wish, { json, output: new Output(stdout, stderr) });
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
