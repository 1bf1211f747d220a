import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Somebody at OpenSSH's client who answers each question in the same way. */
export interface Typist {
  readonly env: NodeJS.ProcessEnv;
  /** What they were asked, as ssh showed it. */
  asked(): string[];
}

/** @param folder where a program is put that ssh runs instead of asking a terminal. */
export async function typist(folder: string, answer: string): Promise<Typist> {
  const program = join(folder, "askpass");
  const log = join(folder, "asked");
  const text = `#!/bin/sh\nprintf '%s\\n' "$1" >> '${log}'\nprintf '%s\\n' "$TYPED"\n`;
  await writeFile(program, text, { mode: 0o700 });
  return {
    env: { ...process.env, SSH_ASKPASS: program, SSH_ASKPASS_REQUIRE: "force", TYPED: answer },
    asked: () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : []),
  };
}

/** Options of OpenSSH's client that let it ask for a code, and offer no key. */
export const byCode = [
  ...["-o", "BatchMode=no", "-o", "PubkeyAuthentication=no"],
  ...["-o", "PreferredAuthentications=keyboard-interactive,password"],
];
