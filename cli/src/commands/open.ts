import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { follow, lastEventOf } from "../follow.ts";
import { clean, formatDuration } from "../text.ts";
import { detailJson, placesLines } from "../views.ts";

interface Options {
  readonly json?: boolean;
  readonly wait: boolean;
}

export function openCommand(): Command {
  const command = new Command("open")
    .description("a workspace of a repository: a new one, or the one that you have of it")
    .argument("<context-url>", "a repository, or a branch, tag or commit of it")
    .option("--no-wait", "do not wait until it runs")
    .action(async (contextUrl: string, { json = false, wait }: Options) => {
      const { output, session } = createRun(json);
      const began = performance.now();
      const { workspace, existing, detail } = await (
        await session()
      ).run(async (api) => {
        const { workspace, existing } = await api.workspaces.open.mutate({ contextUrl });
        const { id, name } = workspace;
        output.note(`${existing ? "Your workspace" : "New workspace"} ${name}`);
        if (wait && workspace.state !== "running") {
          const afterEvent = existing ? await lastEventOf(api, id) : 0;
          await follow(api, { id, goal: "running" }, { output, afterEvent, began });
        }
        const detail = await api.workspaces.show.query({ workspace: id });
        return { workspace, existing, detail };
      });
      if (json) return output.json(detailJson(detail));
      const took = formatDuration(performance.now() - began);
      const waited = !existing || workspace.state !== "running";
      const head =
        detail.state === "running" ? (waited ? `ready in ${took}` : "running") : detail.state;
      output.lines([clean(`${detail.name}: ${head}`), ...placesLines(detail)]);
    });
  return withExamples(withJson(command), [
    "loop open https://github.com/acme/govapp",
    "loop open https://github.com/acme/govapp/tree/feat/queue-display",
    "loop open file:///srv/git/govapp.git",
  ]);
}
