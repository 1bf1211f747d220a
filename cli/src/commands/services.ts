import type { Command } from "commander";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { serviceLines, summaryJson } from "../views.ts";

export function defineServices(command: Command): void {
  command
    .argument(...workspaceArgument)
    .action(async (workspace: string, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const detail = await (await session()).run((api) => api.workspaces.show.query({ workspace }));
      if (json) output.json(summaryJson(detail).services);
      else output.lines(serviceLines(detail.services, output));
    });
  withExamples(withJson(command), [
    "loop services govapp-main-abc",
    "loop services govapp-main-abc --json | jq -r '.[].image'",
  ]);
}
