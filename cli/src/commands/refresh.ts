import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { behindText } from "../views.ts";
import { Progress } from "../progress.ts";
import type { WorkspaceSummary } from "../wire.ts";

export function defineRefresh(command: Command): void {
  command
    .argument(...workspaceArgument)
    .action(async (workspace: string, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      using _asking = new Progress(output, "asking the repository", performance.now());
      const summary = await (
        await session()
      ).run((api) => api.workspaces.refresh.mutate({ workspace }));
      const { id, name, branch, commit, behind } = summary;
      if (json) output.json({ id, name, branch, commit, behind });
      else output.lines([clean(`${name}: ${answer(summary)}`)]);
    });
  withExamples(withJson(command), ["loop refresh govapp-main-abc"]);
}

function answer(workspace: WorkspaceSummary): string {
  if (workspace.branch === null) return "of no branch: a tag or a commit is never behind";
  if (workspace.behind === null) return "how far it is behind is not known";
  return behindText(workspace) ?? "up to date";
}
