import { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { sessionLines } from "../people-views.ts";
import type { SessionView } from "../wire.ts";

interface Options {
  readonly json?: boolean;
}

export function defineSessions(command: Command): void {
  command.addCommand(listCommand()).addCommand(revokeCommand());
  withExamples(command, ["loop sessions list", "loop sessions revoke k3yid"]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("browsers and command lines that are signed in as you")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const sessions = await (await session()).run((api) => api.sessions.list.query());
      if (json) output.json(sessions.map(sessionJson));
      else output.lines(sessionLines(sessions, output));
    });
  return withExamples(withJson(command), ["loop sessions list"]);
}

function revokeCommand(): Command {
  const command = new Command("revoke")
    .description("sign one of them out; what it has open is closed")
    .argument("<id>", "as `loop sessions list` shows it")
    .action(async (id: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      await (await session()).run((api) => api.sessions.revoke.mutate({ id }));
      if (json) output.json({ id, revoked: true });
      else output.lines([clean(`Revoked ${id}.`)]);
    });
  return withExamples(withJson(command), ["loop sessions revoke k3yid"]);
}

function sessionJson(view: SessionView) {
  const { id, kind, name, createdAt, lastUsedAt, expiresAt, current } = view;
  return { id, kind, name, createdAt, lastUsedAt, expiresAt, current };
}
