import type { Database } from "../../server/db/database.ts";
import type { WorkspaceRow, WorkspaceStore } from "../../server/db/workspaces.ts";
import { Poke } from "../../server/util/poke.ts";

export interface Rows {
  readonly database: Database;
  readonly store: WorkspaceStore;
}

/** Far more than anything here takes; a hang is a failure. */
const usualMs = 15_000;

/**
 * Waits, by the database's own notifications, until a workspace's row is as wanted.
 *
 * @throws Error that says what it is instead.
 */
export async function untilRow(
  { database, store }: Rows,
  id: string,
  { wanted, ms = usualMs }: { wanted: (row: WorkspaceRow | null) => boolean; ms?: number },
): Promise<WorkspaceRow | null> {
  const poke = new Poke();
  using _changes = database.onChange(() => poke.poke());
  const signal = AbortSignal.timeout(ms);
  for (;;) {
    const row = await store.byId(id);
    if (wanted(row)) return row;
    if (!(await poke.wait(signal))) {
      throw new Error(`still ${row?.state}: ${row?.errorMessage ?? "without an error"}`);
    }
  }
}

/** Waits in the same way for an event after another; gives its words. */
export async function untilEvent(
  { database, store }: Rows,
  id: string,
  { code, after = 0, ms = usualMs }: { code: string; after?: number; ms?: number },
): Promise<string> {
  const poke = new Poke();
  using _changes = database.onChange(() => poke.poke());
  const signal = AbortSignal.timeout(ms);
  for (;;) {
    const events = await store.eventsAfter(id, after);
    const found = events.find((event) => event.code === code);
    if (found !== undefined) return found.message;
    if (!(await poke.wait(signal))) {
      throw new Error(`no event ${code}, but ${events.map((event) => event.code).join(", ")}`);
    }
  }
}
