import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import type { Api } from "../api.ts";

interface Wish {
  readonly ask: (api: Api, which: { workspace: string; service: string }) => Promise<unknown>;
  readonly said: (service: string) => string;
  readonly example: string;
}

export const defineRestart = wishFor({
  ask: (api, which) => api.workspaces.restartService.mutate(which),
  said: (service) => `${service} is started again.`,
  example: "loop restart govapp-main-abc back-end",
});

export const defineRebuild = wishFor({
  ask: (api, which) => api.workspaces.rebuildService.mutate(which),
  said: (service) => `${service} is built again from the repository, then started.`,
  example: "loop rebuild govapp-main-abc back-end",
});

/** A command that asks for something of one service of production; `loop services` says how it goes. */
function wishFor({ ask, said, example }: Wish): (command: Command) => void {
  return (command) => {
    command
      .argument(...workspaceArgument)
      .argument("<service>", "one of its services that mirror production")
      .action(async (workspace: string, service: string, { json = false }: { json?: boolean }) => {
        const { output, session } = createRun(json);
        await (await session()).run((api) => ask(api, { workspace, service }));
        if (json) output.json({ workspace, service });
        else output.lines([clean(`${said(service)} \`loop services ${workspace}\` shows it.`)]);
      });
    withExamples(withJson(command), [example]);
  };
}
