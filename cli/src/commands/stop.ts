import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { follow, lastEventOf } from "../follow.ts";
import { clean, formatDuration } from "../text.ts";
import { summaryJson } from "../views.ts";

export function stopCommand(): Command {
  const command = new Command("stop")
    .description("stop a workspace; its source and home are kept")
    .argument("<workspace>", "its name or id")
    .action(async (workspace: string, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const began = performance.now();
      const summary = await (
        await session()
      ).run(async (api) => {
        const afterEvent = await lastEventOf(api, workspace);
        const { id } = await api.workspaces.stop.mutate({ workspace });
        await follow(api, { id, goal: "stopped" }, { output, afterEvent, began });
        return api.workspaces.show.query({ workspace: id });
      });
      if (json) return output.json(summaryJson(summary));
      output.lines([
        clean(`${summary.name}: stopped in ${formatDuration(performance.now() - began)}`),
      ]);
    });
  return withExamples(withJson(command), ["loop stop govapp-main-abc"]);
}
