import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { createRun, withExamples, type Run } from "../action.ts";
import { Failure } from "../failure.ts";
import type { Session } from "../session.ts";

export function sshCommand(): Command {
  const command = new Command("ssh")
    .description("a shell in a workspace, or one command; its exit status is the command's")
    .argument("<workspace>", "its name; <workspace>.<service> for another of its services")
    .argument("[command...]", "what to run, after --")
    .passThroughOptions()
    .action(async (target: string, words: string[]) => {
      const run = createRun(false);
      const session = await run.session();
      const [workspace = "", ...service] = target.split(".");
      const { ssh } = await session.run((api) => api.workspaces.show.query({ workspace }));
      await mkdir(session.folder, { recursive: true, mode: 0o700 });
      const user = [ssh.user, ...service].join(".");
      const knownHosts = join(session.folder, "known_hosts");
      const args = sshArguments({ ...ssh, user, knownHosts }, words);
      const status = await runSsh(args);
      run.exit(status);
      if (status === sshFailed) await explain(run, session);
    });
  return withExamples(command, [
    "loop ssh govapp-main-abc",
    "loop ssh govapp-main-abc -- npm test",
    "tar c notes | loop ssh govapp-main-abc -- tar x",
  ]);
}

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly knownHosts: string;
}

/**
 * The arguments of OpenSSH's client. The gateway's host key is ours to remember, under a name of its
 * own: the user's known_hosts may hold another key for `localhost`.
 */
export function sshArguments(
  { host, port, user, knownHosts }: SshTarget,
  command: readonly string[],
): string[] {
  // Node's resolver and getent do not know names below localhost; browsers do.
  const local = host === "localhost" || host.endsWith(".localhost");
  // In a value, % begins a token and a space ends a file's name (ssh_config(5)).
  const file = knownHosts.replaceAll("%", "%%").replaceAll('"', String.raw`\"`);
  const words = command[0] === "--" ? command.slice(1) : command;
  return [
    ...["-p", String(port), "-l", user],
    ...["-o", `UserKnownHostsFile="${file}"`],
    ...["-o", `HostKeyAlias=oneloop-${host}-${port}`],
    ...["-o", "StrictHostKeyChecking=accept-new"],
    "--",
    local ? "127.0.0.1" : host,
    ...words,
  ];
}

/** What ssh exits with for its own failures, and what a shell adds to a signal's number. */
const sshFailed = 255;
const signalBase = 128;

async function runSsh(args: readonly string[]): Promise<number> {
  // The terminal sends these to both of us: they are ssh's to answer.
  const ignored = ["SIGINT", "SIGQUIT"] as const;
  const ignore = (): void => undefined;
  for (const signal of ignored) process.on(signal, ignore);
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn("ssh", args, { stdio: "inherit" });
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
  }
}

/** The usual reason why a newcomer is refused, which ssh cannot know. */
async function explain(run: Run, session: Session): Promise<void> {
  try {
    const keys = await session.run((api) => api.keys.list.query());
    if (keys.length === 0) run.output.note("loop: you have no SSH key here. Add it: loop keys add");
  } catch {
    // ssh has said what it knows; the control plane may be what is missing.
  }
}
