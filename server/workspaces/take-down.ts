import type { WorkspaceStore } from "../db/workspaces.ts";
import type { Engine } from "../engine/engine.ts";
import type { Owner } from "../engine/steps.ts";
import { toOneloopError } from "../protocol/errors.ts";
import type { PlannedOneShot } from "../protocol/plan.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import type { BringUpParts } from "./bring-up.ts";
import { Builds } from "./builds.ts";
import { oneShotsOf, runOneShots } from "./one-shots.ts";
import type { OnPhase } from "./phases.ts";
import { allOrNone } from "./reconciler-deadlines.ts";
import type { Turn } from "./reconciler-turn.ts";
import { findUnsavedWork, isEmpty } from "./source.ts";

/** What a program has to end itself; Docker's own default. */
const stopGraceMs = 10_000;

export interface TakeDownParts extends Pick<BringUpParts, "archive"> {
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
  const { spec, step, interrupted } = turn;
  const { owner } = spec;
  const after = await owedAfterStop(engine, turn);
  await inside.ended(owner.id);
  supervisors.forget(owner);
  const stop = (): Promise<void> =>
    step("stop", interrupted, (options) =>
      engine.stop(owner, { ...options, graceMs: stopGraceMs }),
    );
  await stop();
  if (after.length === 0) return;
  try {
    await runAfterStop(parts, turn, after);
  } catch (error) {
    interrupted.throwIfAborted();
    // The workspace has stopped whatever becomes of it.
    const { code, message } = toOneloopError(error);
    await parts.store.addEvent(owner.id, { level: "error", code, message });
  }
  await turn.record({ afterStop: null });
  await stop();
}

/**
 * What is to run after this stop, written down before anything ends: whoever goes on after a kill of
 * the control plane finds nothing that runs, and the rest of the list. Each is taken off it when it
 * has ended, so it runs once; one that a kill caught in the middle, or between its end and that
 * word, runs again from its beginning. Where nothing runs and no such stop has begun, nothing comes
 * after it; a start that somebody wishes meanwhile ends it.
 */
async function owedAfterStop(engine: Engine, turn: Turn): Promise<PlannedOneShot[]> {
  const { row, spec, record } = turn;
  const all = oneShotsOf(spec.plan, "after-stop");
  if (all.length === 0) return [];
  if (row.desired === "running") {
    await record({ afterStop: null });
    return [];
  }
  if (await anyRuns(engine, spec.owner)) {
    await record({ afterStop: all.map(({ name }) => name) });
    return all;
  }
  const left = new Set(row.afterStop);
  return all.filter(({ name }) => left.has(name));
}

async function anyRuns(engine: Engine, owner: Owner): Promise<boolean> {
  const { members } = await engine.observe(owner);
  return members.some(({ state }) => state === "running");
}

/** In the workspace's network, as all of it: the sandbox is there again for so long. */
async function runAfterStop(
  parts: TakeDownParts,
  turn: Turn,
  after: readonly PlannedOneShot[],
): Promise<void> {
  const { engine } = parts;
  const { spec, step, interrupted } = turn;
  const builds = new Builds(parts, turn, step);
  const ready = step("sandbox", interrupted, (options) => engine.ensureSandbox(spec, options));
  await allOrNone(interrupted, (signal) => [
    ready,
    ...after.map(async ({ service: { image, user } }) => {
      const built = await builds.ensure(image, { ready, signal });
      await step("image", signal, (options) =>
        engine.ensureImage(built, { ...options, user, reader: spec.reader }),
      );
    }),
  ]);
  const note = (message: string): void =>
    void parts.store
      .addEvent(spec.owner.id, { level: "info", code: "after-stop", message })
      .catch(() => undefined);
  const left = new Set(after.map(({ name }) => name));
  const plan = builds.named({ ...spec.plan, oneShots: [...after] });
  const onDone = async (name: string): Promise<void> => {
    left.delete(name);
    await turn.record({ afterStop: [...left] });
  };
  await step("after-stop", interrupted, (options) =>
    runOneShots(
      engine,
      { spec: { ...spec, plan }, when: "after-stop", onDone },
      { ...options, onProgress: note },
    ),
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
