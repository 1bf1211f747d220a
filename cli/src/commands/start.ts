import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { follow, lastEventOf } from "../follow.ts";
import { clean, formatDuration } from "../text.ts";
import { placesLines, summaryJson } from "../views.ts";

export function startCommand(): Command {
  const command = new Command("start")
    .description("start a stopped workspace")
    .argument("<workspace>", "its name or id")
    .action(async (workspace: string, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const began = performance.now();
      const summary = await (
        await session()
      ).run(async (api) => {
        const afterEvent = await lastEventOf(api, workspace);
        const { id } = await api.workspaces.start.mutate({ workspace });
        await follow(api, { id, goal: "running" }, { output, afterEvent, began });
        return api.workspaces.show.query({ workspace: id });
      });
      if (json) return output.json(summaryJson(summary));
      const took = formatDuration(performance.now() - began);
      output.lines([clean(`${summary.name}: ready in ${took}`), ...placesLines(summary)]);
    });
  return withExamples(withJson(command), ["loop start govapp-main-abc"]);
}
