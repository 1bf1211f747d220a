import { fileURLToPath } from "node:url";
import type { WorkspaceSummary } from "./wire.ts";
import { sshOptions } from "./commands/ssh.ts";
import { Failure } from "./failure.ts";
import { root } from "./root.ts";

/** `ssh <workspace>.loop`: no name of a real host ends so. */
const suffix = "loop";

export interface SshConfigChoices {
  readonly url: string;
  readonly knownHosts: string;
  /** By `loop ssh --stdio` instead of the gateway's own port. */
  readonly overHttps: boolean;
}

/**
 * The include file of one control plane: a block for each workspace, as ssh_config(5) reads it, and
 * `<workspace>.<service>.loop` for the containers of those that have several.
 */
export function sshConfigText(
  workspaces: readonly Pick<WorkspaceSummary, "name" | "ssh" | "services">[],
  { url, knownHosts, overHttps }: SshConfigChoices,
): string {
  const blocks = workspaces.flatMap(({ ssh, name, services }) => {
    const several = services.length > 1 ? services.map((service) => `.${service.name}`) : [];
    return ["", ...several].map((service) =>
      block(`${name}${service}.${suffix}`, {
        ...ssh,
        user: `${ssh.user}${service}`,
        knownHosts,
        proxyCommand: overHttps ? proxyCommand(url, `${name}${service}`) : null,
      }),
    );
  });
  const head = `# Made by \`loop config-ssh\` for ${url}: written anew by it, \`loop open\` and \`loop delete\`.`;
  return [head, ...blocks].join("\n\n").concat("\n");
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly knownHosts: string;
  readonly proxyCommand: string | null;
}

/**
 * What names and addresses are made of. A blank, a quote or a line break in one of them would be
 * another line of the file, and some lines of such files run programs.
 */
const plain = /^[A-Za-z0-9_][A-Za-z0-9._:-]*$/;

/** @throws Failure where the control plane gives a name that no name of ours can be. */
function block(host: string, target: Target): string {
  const { address, keywords } = sshOptions(target);
  for (const word of [host, address, target.user]) {
    if (plain.test(word)) continue;
    const shown = JSON.stringify(word.replaceAll(/\p{C}/gu, "?"));
    throw new Failure(
      "bad-input",
      `${shown} cannot stand in ssh's configuration: nothing is written.`,
    );
  }
  if (/\p{Cc}/u.test(target.knownHosts)) {
    throw new Failure("bad-input", "The configuration folder's name has control characters in it.");
  }
  const proxy = target.proxyCommand === null ? [] : [["ProxyCommand", target.proxyCommand]];
  return [
    `Host ${host}`,
    `  HostName ${address}`,
    `  Port ${target.port}`,
    `  User ${target.user}`,
    ...[...keywords, ...proxy].map(([keyword, value]) => `  ${keyword} ${value}`),
  ].join("\n");
}

const proxyKeyword = "  ProxyCommand ";

/** Whether a file of ours goes by the control plane's URL: it stays so when it is written anew. */
export function isOverHttps(text: string): boolean {
  return text.split("\n").some((line) => line.startsWith(proxyKeyword));
}

/** Run by the user's shell; `%` begins a token of ssh's. */
function proxyCommand(url: string, place: string): string {
  const loop = fileURLToPath(new URL("cli/bin/loop.js", root));
  const words = [process.execPath, loop, "ssh", "--url", url, "--stdio", place];
  return words
    .map((word) => (/^[\w./:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ")
    .replaceAll("%", "%%");
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
