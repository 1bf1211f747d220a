import { randomUUID } from "node:crypto";
import {
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Api } from "./api.ts";
import { knownHostsOf } from "./commands/ssh.ts";
import type { Output } from "./output.ts";
import type { Session } from "./session.ts";
import { addInclude, hasInclude, isOverHttps, removeInclude, sshConfigText } from "./ssh-config.ts";

/** Where OpenSSH's client looks, and where our part of it lies. */
export interface SshConfigPlaces {
  /** The user's own file. */
  readonly config: string;
  /** The include file of this control plane. */
  readonly include: string;
  /** What the user's file includes: those of all control planes. */
  readonly pattern: string;
}

export function sshConfigPlaces({ url }: Pick<Session, "url">, home = homedir()): SshConfigPlaces {
  const folder = join(home, ".ssh", "oneloop");
  return {
    config: join(home, ".ssh", "config"),
    include: join(folder, `${new URL(url).host.replaceAll(/[^A-Za-z0-9.-]/g, "-")}.conf`),
    pattern: join(folder, "*.conf"),
  };
}

export async function isIncluded({ config, pattern }: SshConfigPlaces): Promise<boolean> {
  return hasInclude(await readOrEmpty(config), pattern);
}

/**
 * Writes the include file from the workspaces that there are now.
 *
 * @param overHttps as the file is already, when not given.
 * @returns their number.
 */
export async function writeSshConfig(
  api: Api,
  session: Session,
  overHttps?: boolean,
): Promise<number> {
  const { include } = sshConfigPlaces(session);
  const workspaces = await api.workspaces.list.query();
  // ssh refuses configuration that others can write.
  await mkdir(dirname(include), { recursive: true, mode: 0o700 });
  const text = sshConfigText(workspaces, {
    url: session.url,
    knownHosts: knownHostsOf(session),
    overHttps: overHttps ?? isOverHttps(await readOrEmpty(include)),
  });
  await replace(include, text, 0o600);
  return workspaces.length;
}

/** After an open or a delete: where `loop config-ssh` was run once, its file stays true. */
export async function refreshSshConfig(api: Api, session: Session, output: Output): Promise<void> {
  try {
    if (!(await exists(sshConfigPlaces(session).include))) return;
    await writeSshConfig(api, session);
  } catch (error) {
    output.note(`loop config-ssh: its file was not written anew: ${(error as Error).message}`);
  }
}

export async function include({ config, pattern }: SshConfigPlaces): Promise<void> {
  await mkdir(dirname(config), { recursive: true, mode: 0o700 });
  const before = await readOrEmpty(config);
  await replace(config, addInclude(before, pattern), 0o600);
}

/** Takes the include file away, and with the last one of them the line that includes it. */
export async function removeSshConfig({
  config,
  include,
  pattern,
}: SshConfigPlaces): Promise<void> {
  await rm(include, { force: true });
  const folder = dirname(include);
  const left = await readdir(folder).catch(() => []);
  if (left.some((name) => name.endsWith(".conf"))) return;
  if (left.length === 0) await rmdir(folder).catch(() => undefined);
  const before = await readOrEmpty(config);
  const after = removeInclude(before, pattern);
  if (after === before) return;
  // It was ours alone: there was none before.
  if (after === "" && (await realpath(config)) === config) await rm(config);
  else await replace(config, after, 0o600);
}

/** latin1 keeps every byte as it is, whatever the file's encoding. */
async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Whole or not at all, with the mode that it has; a link stays a link, to the file that it names. */
async function replace(path: string, text: string, newMode: number): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const mode = await stat(target).then(
    (found) => found.mode & 0o777,
    () => newMode,
  );
  const mine = join(dirname(target), `.${basename(target)}.${randomUUID()}`);
  try {
    await writeFile(mine, Buffer.from(text, "latin1"), { mode, flag: "wx" });
    await rename(mine, target);
  } finally {
    await rm(mine, { force: true });
  }
}
