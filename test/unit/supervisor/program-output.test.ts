import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { ProgramOutput } from "../../../workspace-image/supervisor/program-output.ts";

/** A reader that takes pieces when it is told to, and looks at their bytes only then. */
class Reader {
  readonly ended: Promise<unknown>;
  readonly exited: Promise<unknown>;
  readonly hash = createHash("sha256");
  readonly lengths: number[] = [];
  readonly #waiting: { piece: Buffer; taken: () => void }[] = [];
  readonly #output: ProgramOutput;
  readonly #input: NodeJS.WritableStream;

  /** @param holds whether the piece of this number waits. */
  constructor(line: string, holds: (number: number) => boolean) {
    const child = spawn("sh", ["-c", line], { stdio: ["pipe", "pipe", "inherit"] });
    const { stdin, stdout } = child;
    if (!(stdout instanceof Socket)) throw new Error("no pipe");
    this.#input = stdin;
    this.exited = once(child, "exit");
    this.ended = once(child, "close");
    this.#output = new ProgramOutput(stdout, {
      onRead: () => undefined,
      onPiece: (piece, taken) => {
        this.lengths.push(piece.length);
        if (this.#waiting.length === 0 && !holds(this.lengths.length)) {
          this.hash.update(piece);
          return true;
        }
        this.#waiting.push({ piece, taken });
        return false;
      },
    });
  }

  get bytes(): number {
    return this.lengths.reduce((sum, length) => sum + length, 0);
  }

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  type(text: string): void {
    this.#input.write(text);
  }

  take(): void {
    for (const { piece, taken } of this.#waiting.splice(0)) {
      this.hash.update(piece);
      taken();
    }
  }

  async takeAll(): Promise<string> {
    const ended = this.ended.then(() => true);
    const notYet = (): Promise<boolean> => turn(false);
    while (!(await Promise.race([ended, notYet()]))) this.take();
    this.#output.flush();
    this.take();
    return this.hash.digest("hex");
  }
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const lines = Array.from({ length: 400_000 }, (_, at) => `${at + 1}\n`).join("");

test.each([1, 2, 3, 5])(
  "much output comes whole, where one piece of %i waits for its reader",
  async (each) => {
    const reader = new Reader("seq 1 400000", (number) => number % each === 0);
    expect(await reader.takeAll()).toBe(digestOf(lines));
    expect(Math.max(...reader.lengths)).toBeGreaterThan(64 * 1024);
  },
);

test("what waits stays as it is when the program ends meanwhile", async () => {
  const all = "dd if=/dev/zero bs=150000 count=1 2>&-";
  const reader = new Reader(`${all}; read _; head -c 20000 /dev/zero | tr '\\0' b`, () => true);
  while (!reader.waits) await turn();
  reader.type("on\n");
  await reader.exited;
  for (let turns = 0; turns < 8; turns += 1) await turn();
  expect(await reader.takeAll()).toBe(digestOf("\0".repeat(150_000) + "b".repeat(20_000)));
});

test("output goes on where it rested", async () => {
  const part = "head -c 100000 /dev/zero | tr '\\0'";
  const reader = new Reader(`${part} a; read _; ${part} b; read _; ${part} c`, () => false);
  for (const bytes of [100_000, 200_000]) {
    while (reader.bytes < bytes) await turn();
    reader.type("on\n");
  }
  const expected = ["a", "b", "c"].map((letter) => letter.repeat(100_000)).join("");
  expect(await reader.takeAll()).toBe(digestOf(expected));
});
