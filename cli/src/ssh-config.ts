import type { WorkspaceSummary } from "./wire.ts";
import { sshOptions } from "./commands/ssh.ts";

/** `ssh <workspace>.loop`: no name of a real host ends so. */
const suffix = "loop";

/** The include file of one control plane: a block for each workspace, as ssh_config(5) reads it. */
export function sshConfigText(
  workspaces: readonly Pick<WorkspaceSummary, "name" | "ssh">[],
  { url, knownHosts }: { readonly url: string; readonly knownHosts: string },
): string {
  const blocks = workspaces.map(({ ssh, name }) =>
    block(`${name}.${suffix}`, { ...ssh, knownHosts }),
  );
  const head = `# Made by \`loop config-ssh\` for ${url}: written anew by it, \`loop open\` and \`loop delete\`.`;
  return [head, ...blocks].join("\n\n").concat("\n");
}

function block(
  host: string,
  target: { host: string; port: number; user: string; knownHosts: string },
): string {
  const { address, keywords } = sshOptions(target);
  return [
    `Host ${host}`,
    `  HostName ${address}`,
    `  Port ${target.port}`,
    `  User ${target.user}`,
    ...keywords.map(([keyword, value]) => `  ${keyword} ${value}`),
  ].join("\n");
}

const marker = "# Added by `loop config-ssh`; `loop config-ssh --remove` takes it away.";

/** What stands at the top of the user's own file, and nothing else of it is ours. */
function includeBlock(pattern: string): string {
  return `${marker}\nInclude ${/\s/.test(pattern) ? `"${pattern}"` : pattern}\n\n`;
}

/**
 * True where the file includes ours for every host: an Include below a Host or Match line counts for
 * that one alone.
 */
export function hasInclude(config: string, pattern: string): boolean {
  for (const line of config.split(/\r?\n/)) {
    if (/^\s*(host|match)[\s=]/i.test(line)) return false;
    const [, files = ""] = /^\s*include[\s=]+(.*)$/i.exec(line) ?? [];
    if (files.replaceAll('"', "").includes(pattern)) return true;
  }
  return false;
}

export function addInclude(config: string, pattern: string): string {
  return hasInclude(config, pattern) ? config : includeBlock(pattern) + config;
}

/** Undoes `addInclude`, to the byte; an Include that somebody wrote otherwise is theirs. */
export function removeInclude(config: string, pattern: string): string {
  return config.replace(includeBlock(pattern), "");
}
