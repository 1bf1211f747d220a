import type { WorkspaceAsk } from "../../server/protocol/control.ts";
import { cutOff } from "./ask.ts";
import { Failure } from "./failure.ts";
import { fieldsOf, safeJson, textOf } from "./text.ts";
import { portLines, summaryLines } from "./views.ts";

export const help = `Usage: loop <command>

Inside a Oneloop workspace, and about this workspace only:

  loop ports [--json]           the ports on which something listens, and their addresses
  loop url <port> [service]     the address of a port
  loop show [--json]            this workspace: its state, repository, ports and how to ssh
  loop stop                     stop this workspace; home and source are kept

Examples:
  $ loop ports
  $ curl "$(loop url 3000)"
  $ loop url 5432 database
  $ loop show --json | jq -r .name

Exit status: 0 done, 1 the answer is no, 2 usage or failure.`;

/** Asks a question of the workspace's control plane. */
export type Ask = (question: WorkspaceAsk) => Promise<unknown>;

/**
 * Runs a command of `loop`, and gives what it prints.
 *
 * @throws Failure
 */
export async function loop(args: readonly string[], ask: Ask): Promise<string> {
  const [command, ...rest] = args;
  if (command === undefined || args.includes("--help") || args.includes("-h")) return help;
  switch (command) {
    case "help":
      return help;
    case "ports": {
      const json = onlyJson(rest);
      const { ports } = fieldsOf(await ask({ kind: "show" }));
      const list: unknown[] = Array.isArray(ports) ? ports : [];
      return json ? safeJson(list) : portLines(list).join("\n");
    }
    case "show": {
      const json = onlyJson(rest);
      const summary = await ask({ kind: "show" });
      return json ? safeJson(summary) : summaryLines(summary).join("\n");
    }
    case "url": {
      const { url } = fieldsOf(await ask(urlQuestion(rest)));
      const text = textOf(url);
      if (text === null) throw new Failure("internal", "Oneloop's answer has no address in it.");
      return text;
    }
    case "stop":
      if (rest.length > 0) throw usage(`\`loop stop\` takes nothing more.`);
      await stop(ask);
      return "The workspace is stopping. Home and source are kept.";
    default:
      throw usage(`Inside a workspace there is no command ${JSON.stringify(command)}.`);
  }
}

/** The end of the workspace may come before the answer. */
async function stop(ask: Ask): Promise<void> {
  try {
    await ask({ kind: "stop" });
  } catch (error) {
    if (!(error instanceof Failure && error.code === cutOff)) throw error;
  }
}

function urlQuestion(args: readonly string[]): WorkspaceAsk {
  const [text = "", service = null, ...more] = args;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535 || more.length > 0) {
    throw usage("`loop url` takes a port, from 1 to 65535, and perhaps a service's name.");
  }
  if (service !== null && service.length > 63) throw usage("No service has so long a name.");
  return { kind: "url", port, service };
}

function onlyJson(args: readonly string[]): boolean {
  const other = args.find((arg) => arg !== "--json");
  if (other !== undefined) throw usage(`${JSON.stringify(other)} is not understood here.`);
  return args.length > 0;
}

function usage(message: string): Failure {
  return new Failure("bad-input", `${message} See: loop --help`);
}
