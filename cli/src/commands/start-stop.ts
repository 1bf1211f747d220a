import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { follow, lastEventOf } from "../follow.ts";
import { formatDuration } from "../text.ts";
import { placesLines, summaryJson } from "../views.ts";
import type { WorkspaceSummary } from "../wire.ts";

interface Move {
  /** The procedure, and where it leads. */
  readonly verb: "start" | "stop";
  readonly goal: "running" | "stopped";
  readonly example: string;
  readonly done: (workspace: WorkspaceSummary, took: string) => string[];
}

export const defineStart = moveTo({
  verb: "start",
  goal: "running",
  example: "loop start govapp-main-abc",
  done: (workspace, took) => [
    clean(`${workspace.name}: ready in ${took}`),
    ...placesLines(workspace),
  ],
});

export const defineStop = moveTo({
  verb: "stop",
  goal: "stopped",
  example: "loop stop govapp-main-abc",
  done: ({ name }, took) => [clean(`${name}: stopped in ${took}`)],
});

/** A command that asks for a state and shows the way there. */
function moveTo({ verb, goal, example, done }: Move): (command: Command) => void {
  return (command) => {
    command
      .argument(...workspaceArgument)
      .action(async (workspace: string, { json = false }: { json?: boolean }) => {
        const { output, session } = createRun(json);
        const began = performance.now();
        const summary = await (
          await session()
        ).run(async (api) => {
          const afterEvent = await lastEventOf(api, workspace);
          const { id } = await api.workspaces[verb].mutate({ workspace });
          await follow(api, { id, goal }, { output, afterEvent, began });
          return api.workspaces.show.query({ workspace: id });
        });
        if (json) output.json(summaryJson(summary));
        else output.lines(done(summary, formatDuration(performance.now() - began)));
      });
    withExamples(withJson(command), [example]);
  };
}
