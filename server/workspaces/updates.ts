import type { Database } from "../db/database.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { WorkspaceSummary, WorkspaceUpdate } from "../protocol/workspace.ts";
import { Poke } from "../util/poke.ts";
import type { TaskNews } from "./task-news.ts";

export interface UpdateParts {
  readonly store: Pick<WorkspaceStore, "find" | "eventsAfter">;
  readonly database: Pick<Database, "onChange">;
  readonly tasks: Pick<TaskNews, "listen">;
  readonly summary: (row: WorkspaceRow) => Promise<WorkspaceSummary>;
  /** When to look again though no change is told; null: never. */
  readonly lookAgainMs: (workspace: WorkspaceSummary) => number | null;
}

/**
 * The state of a person's workspace, then each event after `afterEvent` and each change, until the
 * signal is aborted or the workspace is gone.
 */
export async function* updatesOf(
  parts: UpdateParts,
  { userId, id }: { readonly userId: string; readonly id: string },
  options: { readonly afterEvent: number; readonly signal: AbortSignal },
): AsyncGenerator<WorkspaceUpdate> {
  const poke = new Poke();
  using _changes = parts.database.onChange((changed) => {
    if (changed === null || changed === id) poke.poke();
  });
  let tasksChanged = false;
  using _tasks = parts.tasks.listen(id, () => {
    tasksChanged = true;
    poke.poke();
  });
  let after = options.afterEvent;
  let lookAgainMs: number | null = null;
  let told = "";
  do {
    const row = await parts.store.find(userId, id);
    if (row === null) {
      yield { kind: "deleted" };
      return;
    }
    for (const event of await parts.store.eventsAfter(id, after)) {
      after = event.id;
      yield { kind: "event", event };
    }
    if (tasksChanged) {
      tasksChanged = false;
      yield { kind: "tasks" };
    }
    const workspace = await parts.summary(row);
    const now = JSON.stringify(workspace);
    if (now !== told) yield { kind: "state", workspace };
    told = now;
    lookAgainMs = parts.lookAgainMs(workspace);
  } while (await poke.wait(options.signal, lookAgainMs));
}
