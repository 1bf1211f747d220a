import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { createRun, placeArgument, withExamples, type Run } from "../action.ts";
import { runSsh } from "../run-ssh.ts";
import type { Session } from "../session.ts";

interface Options {
  readonly stdio?: boolean;
  readonly url?: string;
}

export function defineSsh(command: Command): void {
  command
    .argument(...placeArgument)
    .argument("[command...]", "what to run, after --")
    .option("--stdio", "a ProxyCommand: join standard input and output with the gateway, by HTTPS")
    .option("--url <url>", "the control plane; the one of the last login when not given")
    .passThroughOptions()
    .action(async (target: string, words: string[], { stdio = false, url }: Options) => {
      const run = createRun(false);
      const session = await run.session(url);
      if (stdio) {
        // Signs in where that is possible, and has the words for what is not there.
        await sshTarget(session, target);
        const { sshStdio } = await import("../ssh-stdio.ts");
        await sshStdio(session);
        return;
      }
      const args = sshArguments(await sshTarget(session, target), words);
      const status = await runSsh(args);
      run.exit(status);
      if (status === sshFailed) await explain(run, session);
    });
  withExamples(command, [
    "loop ssh govapp-main-abc",
    "loop ssh govapp-main-abc -- npm test",
    "loop ssh govapp-main-abc.db      # in the container of its service db",
    "tar c notes | loop ssh govapp-main-abc -- tar x",
    "ssh -o ProxyCommand='loop ssh --stdio api-main-abc' api-main-abc@oneloop",
  ]);
}

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly knownHosts: string;
}

/**
 * Where a workspace, or `<workspace>.<service>`, is reached, and where its gateway's host key is kept.
 */
export async function sshTarget(session: Session, place: string): Promise<SshTarget> {
  const dot = place.indexOf(".");
  const [workspace, service] = dot < 0 ? [place, ""] : [place.slice(0, dot), place.slice(dot)];
  const { ssh } = await session.run((api) => api.workspaces.show.query({ workspace }));
  await mkdir(session.folder, { recursive: true, mode: 0o700 });
  return { ...ssh, user: `${ssh.user}${service}`, knownHosts: knownHostsOf(session) };
}

/** The gateways' host keys are ours to remember: the user's own file may hold others for them. */
export function knownHostsOf({ folder }: Pick<Session, "folder">): string {
  return join(folder, "known_hosts");
}

/**
 * What OpenSSH's client must know to reach a gateway, as the keywords of ssh_config(5). The host key
 * stands under a name of its own.
 */
export function sshOptions({ host, port, knownHosts }: Omit<SshTarget, "user">) {
  // Node's resolver and getent do not know names below localhost; browsers do.
  const local = host === "localhost" || host.endsWith(".localhost");
  // In a value, % begins a token and a space ends a file's name (ssh_config(5)).
  const file = knownHosts.replaceAll("%", "%%").replaceAll('"', String.raw`\"`);
  return {
    address: local ? "127.0.0.1" : host,
    keywords: [
      ["UserKnownHostsFile", `"${file}"`],
      ["HostKeyAlias", `oneloop-${host}-${port}`],
      ["StrictHostKeyChecking", "accept-new"],
    ] as const,
  };
}

/**
 * The arguments of OpenSSH's client.
 *
 * @param options more of them, before the host.
 */
export function sshArguments(
  target: SshTarget,
  command: readonly string[],
  options: readonly string[] = [],
): string[] {
  const { address, keywords } = sshOptions(target);
  const words = command[0] === "--" ? command.slice(1) : command;
  return [
    ...["-p", String(target.port), "-l", target.user],
    ...keywords.flatMap(([keyword, value]) => ["-o", `${keyword}=${value}`]),
    ...options,
    "--",
    address,
    ...words,
  ];
}

/** What ssh exits with for its own failures. */
export const sshFailed = 255;

/** The usual reason why a newcomer is refused, which ssh cannot know. */
export async function explain(run: Run, session: Session): Promise<void> {
  try {
    const [keys, { sshCodes }] = await session.run((api) =>
      Promise.all([api.keys.list.query(), api.config.query()]),
    );
    const or = sshCodes ? "; or sign in without one: loop keys code" : "";
    if (keys.length === 0) {
      run.output.note(`loop: you have no SSH key here. Add it: loop keys add${or}`);
    }
  } catch {
    // ssh has said what it knows; the control plane may be what is missing.
  }
}
