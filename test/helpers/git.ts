import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Nothing of this machine's own git configuration has a say, and nobody is asked for a password.
 * Author and date are fixed, so that the same content gives the same commits.
 */
export const gitEnv: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Ada Example",
  GIT_AUTHOR_EMAIL: "ada@govapp.example",
  GIT_AUTHOR_DATE: "2026-01-05T09:00:00Z",
  GIT_COMMITTER_NAME: "Ada Example",
  GIT_COMMITTER_EMAIL: "ada@govapp.example",
  GIT_COMMITTER_DATE: "2026-01-05T09:00:00Z",
};

/** Runs git over a folder of the test's own. @returns its standard output. */
export async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run("git", args, { cwd: folder, env: gitEnv });
  return stdout.trim();
}
