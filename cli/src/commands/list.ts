import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { listLines, summaryJson } from "../views.ts";

export function listCommand(): Command {
  const command = new Command("list")
    .alias("ls")
    .description("your workspaces")
    .action(async ({ json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const workspaces = await (await session()).run((api) => api.workspaces.list.query());
      if (json) output.json(workspaces.map(summaryJson));
      else output.lines(listLines(workspaces));
    });
  return withExamples(withJson(command), [
    "loop list",
    "loop list --json | jq -r '.[] | select(.state == \"running\") | .name'",
  ]);
}
