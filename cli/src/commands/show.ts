import type { Command } from "commander";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { detailJson, showLines } from "../views.ts";

export function defineShow(command: Command): void {
  command
    .argument(...workspaceArgument)
    .action(async (workspace: string, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const detail = await (await session()).run((api) => api.workspaces.show.query({ workspace }));
      if (json) output.json(detailJson(detail));
      else output.lines(showLines(detail, output));
    });
  withExamples(withJson(command), [
    "loop show govapp-main-abc",
    "loop show govapp-main-abc --json | jq -r '.ports[].url'",
  ]);
}
