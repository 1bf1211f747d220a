import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Failure } from "./failure.ts";

/** What a shell adds to the number of the signal that ended a program. */
const signalBase = 128;

export interface RunSshOptions {
  /** Called with each piece of ssh's standard output, which is ours otherwise. */
  readonly onOutput?: (text: string) => void;
}

/**
 * Runs OpenSSH's client to its end, with our terminal.
 *
 * @returns its exit status.
 * @throws Failure where there is none.
 */
export async function runSsh(
  args: readonly string[],
  { onOutput }: RunSshOptions = {},
): Promise<number> {
  const stdio = onOutput === undefined ? "inherit" : (["ignore", "pipe", "inherit"] as const);
  const child = spawn("ssh", args, { stdio: stdio === "inherit" ? stdio : [...stdio] });
  if (onOutput !== undefined) child.stdout?.setEncoding("utf8").on("data", onOutput);
  // The terminal sends these to both of us: they are ssh's to answer.
  const ignored = ["SIGINT", "SIGQUIT"] as const;
  const ignore = (): void => undefined;
  // These come to us alone: ssh must not outlive us.
  const passedOn = ["SIGTERM", "SIGHUP"] as const;
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ignored) process.on(signal, ignore);
  for (const signal of passedOn) process.on(signal, passOn);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        const missing = "There is no ssh on this machine. Install OpenSSH's client.";
        reject(new Failure("usage", error.code === "ENOENT" ? missing : error.message));
      });
      child.once("exit", (code, signal) => {
        resolve(code ?? signalBase + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    for (const signal of ignored) process.off(signal, ignore);
    for (const signal of passedOn) process.off(signal, passOn);
  }
}
