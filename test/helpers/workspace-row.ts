import type { Database } from "../../server/db/database.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../server/db/workspaces.ts";
import { plan } from "../../server/plan/plan.ts";
import type { PlannedService } from "../../server/protocol/service.ts";
import { defaultModel } from "../../server/sources/fallback/default-model.ts";
import { Poke } from "../../server/util/poke.ts";

/**
 * Stores a workspace that is to run, of one container and what stands beside it; a control plane
 * brings it up.
 */
export async function insertWorkspace(
  database: Database,
  {
    beside = [],
    ...wanted
  }: { id: string; name: string; ownerId: string; beside?: readonly PlannedService[] },
): Promise<WorkspaceRow> {
  const store = new WorkspaceStore(database);
  await store.ensureMachine({ id: "local", name: "this machine", engine: "fake" });
  const url = `https://git.example/${wanted.name}.git`;
  const commit = "0123456789012345678901234567890123456789";
  const checkout = { url, ref: "refs/heads/main", commit, path: "/workspace/app" };
  const alone = plan(defaultModel(), null, { checkout });
  const row = await store.insert({
    ...wanted,
    machineId: "local",
    contextUrl: url,
    repository: url,
    ref: checkout.ref,
    commit,
    plan: { ...alone, services: [...alone.services, ...beside] },
  });
  if (row === null) throw new Error("the workspace was not inserted");
  return row;
}

/** Waits, by the database's own notifications, until a workspace runs. */
export async function untilRunning(database: Database, id: string): Promise<void> {
  const store = new WorkspaceStore(database);
  const poke = new Poke();
  using _changes = database.onChange(() => poke.poke());
  const signal = AbortSignal.timeout(30_000);
  for (;;) {
    const row = await store.byId(id);
    if (row?.state === "running") return;
    if (!(await poke.wait(signal))) {
      throw new Error(`still ${row?.state}: ${row?.errorMessage}`);
    }
  }
}
