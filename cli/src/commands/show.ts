import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { detailJson, showLines } from "../views.ts";

export function showCommand(): Command {
  const command = new Command("show")
    .description("one workspace: its state, ports, services and what happened to it")
    .argument("<workspace>", "its name or id")
    .action(async (workspace: string, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const detail = await (await session()).run((api) => api.workspaces.show.query({ workspace }));
      if (json) output.json(detailJson(detail));
      else output.lines(showLines(detail));
    });
  return withExamples(withJson(command), [
    "loop show govapp-main-abc",
    "loop show govapp-main-abc --json | jq -r '.ports[].url'",
  ]);
}
