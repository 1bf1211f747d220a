import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { run, type CommandResult, type Installation } from "./installation.ts";

/** Runs a command in a workspace, by OpenSSH's client, as its user would. */
export type Shell = (
  workspace: string,
  command: string,
  input?: string | Buffer,
) => Promise<CommandResult>;

/** Makes a key in `folder`, adds it by `loop keys add`, and gives the shell that uses it. */
export async function workspaceShell(oneloop: Installation, folder: string): Promise<Shell> {
  const key = join(folder, "id");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const added = await oneloop.loop("keys", "add", `${key}.pub`);
  if (added.exitCode !== 0) throw new Error(added.stderr);
  return (workspace, command, input) =>
    run(
      "ssh",
      [
        ...["-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"],
        ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
        ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
        ...[`${workspace}@127.0.0.1`, command],
      ],
      input === undefined ? {} : { input },
    );
}

/**
 * Starts a program in a workspace that outlives the command that starts it.
 *
 * @param command without quotation marks; its program is looked up in `folder`.
 * @returns its process id there.
 */
export async function startInWorkspace(
  shell: Shell,
  workspace: string,
  { command, folder = "/tmp" }: { command: string; folder?: string },
): Promise<string> {
  // Process ids come again after a stop, and files stay.
  const log = `/tmp/started.${randomUUID()}`;
  const { exitCode, stdout, stderr } = await shell(
    workspace,
    `cd ${folder}; setsid sh -c 'echo $$; exec ${command}' > ${log} 2>&1 < /dev/null & ` +
      `until [ -s ${log} ]; do :; done; head -n 1 ${log}`,
  );
  if (!/^\d+\n$/.test(stdout))
    throw new Error(`it did not start (${exitCode}): ${stdout}${stderr}`);
  return stdout.trim();
}
