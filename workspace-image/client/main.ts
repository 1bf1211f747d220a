import { readSync } from "node:fs";
import { clean } from "../../server/protocol/text.ts";
import { ask } from "./ask.ts";
import { credential } from "./credential.ts";
import { Failure } from "./failure.ts";
import { loop } from "./loop.ts";
import { safeJson } from "./text.ts";

/** git writes a handful of short lines. */
const maxInputBytes = 64 * 1024;
const stdin = 0;

const credentialHelper = "git-credential-oneloop";

/** All of standard input; git closes it after its lines. */
function readInput(): string {
  const buffer = Buffer.alloc(maxInputBytes);
  let length = 0;
  while (length < maxInputBytes) {
    const got = readSync(stdin, buffer, length, maxInputBytes - length, null);
    if (got === 0) break;
    length += got;
  }
  return buffer.toString("utf8", 0, length);
}

function fail(error: unknown, { name, json }: { name: string; json: boolean }): void {
  const failure =
    error instanceof Failure ? error : new Failure("internal", "This command failed: a defect.");
  const { code, message, exitStatus } = failure;
  if (json) process.stdout.write(`${safeJson({ error: { code, message, diagnostics: [] } })}\n`);
  else process.stderr.write(`${name}: ${clean(message)}\n`);
  process.exitCode = exitStatus;
}

/** The wrapper says by which name it was called: one program serves them all. */
async function main(): Promise<void> {
  const [name = "loop", ...args] = process.argv.slice(2);
  process.stdout.on("error", () => process.exit());
  const asked = (question: Parameters<typeof ask>[0]): Promise<unknown> =>
    ask(question, process.env);
  try {
    if (name === credentialHelper) {
      process.stdout.write(await credential(args[0], readInput, asked));
    } else {
      process.stdout.write(`${await loop(args, asked)}\n`);
    }
  } catch (error) {
    fail(error, { name: clean(name), json: name === "loop" && args.includes("--json") });
  }
}

void main();
