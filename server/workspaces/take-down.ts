import type { WorkspaceStore } from "../db/workspaces.ts";
import type { Engine } from "../engine/engine.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import type { OnPhase } from "./phases.ts";
import type { Turn } from "./reconciler-turn.ts";
import { findUnsavedWork, isEmpty } from "./source.ts";

/** What a program has to end itself; Docker's own default. */
const stopGraceMs = 10_000;

export interface TakeDownParts {
  readonly store: WorkspaceStore;
  readonly engine: Engine;
  readonly supervisors: Supervisors;
  /** Lets go of what is held of a workspace that runs no more in a moment. */
  readonly inside: { ended(id: string): Promise<void> };
  readonly onPhase?: OnPhase | undefined;
}

/** Ends what runs; source, home and the containers stay. */
export async function stopAll(parts: TakeDownParts, turn: Turn): Promise<void> {
  const { engine, inside, supervisors } = parts;
  const { owner } = turn.spec;
  await inside.ended(owner.id);
  supervisors.forget(owner);
  await turn.step("stop", turn.interrupted, (options) =>
    engine.stop(owner, { ...options, graceMs: stopGraceMs }),
  );
}

/**
 * Ends what runs and removes all of it, volumes and row too. Work that appeared since the user was
 * asked, and that nobody said may be lost, keeps the workspace: it is then stopped.
 */
export async function removeAll(parts: TakeDownParts, turn: Turn): Promise<void> {
  const { engine, store, onPhase } = parts;
  const { row, interrupted } = turn;
  const { owner } = turn.spec;
  await stopAll(parts, turn);
  const { plan } = row;
  if (!row.deleteForced && row.checkedOut) {
    // Asked again now that nothing runs: a program may have written since the user was asked.
    const work = await turn.step("delete", interrupted, (options) =>
      findUnsavedWork(engine, { owner, plan }, options),
    );
    onPhase?.("unsaved-work-asked");
    if (!isEmpty(work)) {
      await store.addEvent(row.id, {
        level: "warning",
        code: "unsaved-work",
        message: "Not deleted: work appeared that is not pushed. The workspace is stopped.",
      });
      await turn.record({ state: "stopped", desired: "stopped" });
      return;
    }
  }
  await turn.step("delete", interrupted, (options) =>
    engine.remove(owner, { ...options, storage: true }),
  );
  onPhase?.("all-removed");
  await store.forget(row.id, row.generation);
  onPhase?.("row-forgotten");
}
