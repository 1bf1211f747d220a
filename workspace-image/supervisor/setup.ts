import { join } from "node:path";
import type { WorkspaceSetup } from "../../server/protocol/supervisor.ts";
import type { Environment } from "./environment.ts";
import { writeGitConfig } from "./gitconfig.ts";
import { badInput } from "./refusal.ts";

/** Linux takes at most 128 KiB for one variable (MAX_ARG_STRLEN). */
const maxVariableBytes = 128 * 1024;

/** Longer than any name that people have, or any address that mail takes. */
const maxGitLength = 1000;

export interface SetupParts {
  readonly environment: Environment;
  /** Null: there is no place for files. */
  readonly runFolder: string | null;
  readonly log: (line: string) => void;
}

/**
 * Takes over whose workspace this is; what starts from now on knows it.
 *
 * @throws Refusal for what would keep every program from starting.
 */
export function applySetup(setup: WorkspaceSetup, parts: SetupParts): void {
  for (const [name, value] of Object.entries(setup.env)) checkVariable(name, value);
  const { name = "", email = "" } = setup.git ?? {};
  for (const value of [name, email]) {
    if (value.includes("\0")) throw badInput("git has a NUL in it");
    if (value.length > maxGitLength) throw badInput(`git is longer than ${maxGitLength}`);
  }
  const { environment, runFolder, log } = parts;
  environment.setPerson(setup.env);
  if (runFolder === null) return;
  const file = join(runFolder, "gitconfig");
  try {
    writeGitConfig(file, setup.git);
    environment.setGitConfig(file);
  } catch (error) {
    log(`git's configuration could not be written: ${String(error)}`);
  }
}

/** The value is not in the message: it may be a secret. */
function checkVariable(name: string, value: string): void {
  if (!/^[^=\0]+$/.test(name)) throw badInput("env has a variable without a proper name");
  if (value.includes("\0")) throw badInput(`env.${name} has a NUL in it`);
  if (Buffer.byteLength(name) + Buffer.byteLength(value) + "=\0".length > maxVariableBytes) {
    throw badInput(`env.${name} is longer than ${maxVariableBytes} bytes`);
  }
}
