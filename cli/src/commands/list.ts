import type { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { listLines, summaryJson } from "../views.ts";

export function defineList(command: Command): void {
  command.action(async ({ json = false }: { json?: boolean }) => {
    const { output, session } = createRun(json);
    const workspaces = await (await session()).run((api) => api.workspaces.list.query());
    if (json) output.json(workspaces.map(summaryJson));
    else output.lines(listLines(workspaces, output));
  });
  withExamples(withJson(command), [
    "loop list",
    "loop list --json | jq -r '.[] | select(.state == \"running\") | .name'",
  ]);
}
