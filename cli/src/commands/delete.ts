import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import type { Api } from "../api.ts";
import { Failure, toFailure } from "../failure.ts";
import { follow, lastEventOf } from "../follow.ts";
import type { Output } from "../output.ts";
import { refreshSshConfig } from "../ssh-config-files.ts";

interface Options {
  readonly json?: boolean;
  readonly force?: boolean;
}

export function defineDelete(command: Command): void {
  command
    .argument(...workspaceArgument)
    .option("--force", "even when work would be lost")
    .action(async (workspace: string, { json = false, force = false }: Options) => {
      const { output, session } = createRun(json);
      const opened = await session();
      const { id, name } = await opened.run(async (api) => {
        const deleted = await deleteIt(api, { workspace, force, output });
        await refreshSshConfig(api, opened, output);
        return deleted;
      });
      if (json) output.json({ id, name, deleted: true });
      else output.lines([clean(`${name}: deleted`)]);
    });
  withExamples(withJson(command), [
    "loop delete govapp-main-abc",
    "loop delete govapp-main-abc --force   # even when work would be lost",
  ]);
}

async function deleteIt(
  api: Api,
  { workspace, force, output }: { workspace: string; force: boolean; output: Output },
): Promise<{ id: string; name: string }> {
  const began = performance.now();
  const { id, name } = await api.workspaces.show.query({ workspace });
  const afterEvent = await lastEventOf(api, id);
  let asked = false;
  try {
    await api.workspaces.delete.mutate({ workspace: id, force });
    asked = true;
    await follow(api, { id, goal: "deleted" }, { output, afterEvent, began });
  } catch (error) {
    const failure = toFailure(error, "the control plane");
    // Gone before we could look.
    if (asked && failure.code === "not-found") return { id, name };
    if (failure.code !== "unsaved-work") throw failure;
    const unsavedWork = await api.workspaces.unsavedWork.query({ workspace: id });
    throw new Failure("unsaved-work", failure.message, { status: 1, unsavedWork, cause: error });
  }
  return { id, name };
}
