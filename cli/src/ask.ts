import { text } from "node:stream/consumers";
import { Failure } from "./failure.ts";

/** Questions go to standard error: standard output is for the result. */
const screen = process.stderr;

/** True where somebody sees a question and can answer it. */
export function canAsk(): boolean {
  return process.stdin.isTTY && screen.isTTY;
}

/** One line; empty at the end of input too. */
export async function askLine(question: string): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: screen });
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    return (await Promise.race([lines.question(question), ended])).trim();
  } finally {
    lines.close();
  }
}

/** @throws Failure where nobody can answer; `otherwise` says what to do then. */
export async function askYes(question: string, otherwise: string): Promise<boolean> {
  if (!canAsk()) throw new Failure("usage", otherwise);
  return /^(y(es)?)?$/i.test(await askLine(`${question} [Y/n] `));
}

/**
 * A secret: typed without an echo, or all of standard input where that is a pipe. Never an argument:
 * every user of a machine can read those of all programs.
 *
 * @throws Failure where it is empty, or was given up with Ctrl+C.
 */
export async function askSecret(what: string): Promise<string> {
  const secret = process.stdin.isTTY
    ? await typeUnseen(`${what}: `)
    : (await text(process.stdin)).replace(/\r?\n$/, "");
  if (secret !== "") return secret;
  throw new Failure("usage", `${what} is empty. Type it, or give it on standard input.`);
}

function typeUnseen(question: string): Promise<string> {
  const { stdin } = process;
  return new Promise((resolve, reject) => {
    const typed = new TypedLine();
    const end = (finish: () => void): void => {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      screen.write("\n");
      finish();
    };
    const onData = (chunk: string): void => {
      switch (typed.add(chunk)) {
        case "more":
          return;
        case "done":
          return end(() => resolve(typed.text));
        case "given-up":
          return end(() => reject(new Failure("cancelled", "Given up; nothing was stored.")));
      }
    };
    // First this: who types at once is not shown either.
    stdin.setRawMode(true);
    screen.write(question);
    stdin.setEncoding("utf8").on("data", onData);
    stdin.resume();
  });
}

const enter = ["\r", "\n", "\u0004"];
const giveUp = "\u0003";
const rubOut = ["\u0008", "\u007F"];
const killLine = "\u0015";

/** What a terminal's own line editing would make of the keys, which raw mode turns off. */
export class TypedLine {
  #characters: string[] = [];

  get text(): string {
    return this.#characters.join("");
  }

  add(chunk: string): "more" | "done" | "given-up" {
    for (const character of chunk) {
      if (enter.includes(character)) return "done";
      if (character === giveUp) return "given-up";
      if (rubOut.includes(character)) this.#characters.pop();
      else if (character === killLine) this.#characters = [];
      else if (character >= " ") this.#characters.push(character);
    }
    return "more";
  }
}
