import type { WorkspaceStore } from "../../db/workspaces.ts";
import type { Log } from "../../util/log.ts";

/** Writes an event of a workspace, in its turn; one that cannot be written is no one's failure. */
export type Note = (level: "info" | "warning" | "error", code: string, message: string) => void;

export function notesOf(
  { store, log }: { readonly store: Pick<WorkspaceStore, "addEvent">; readonly log: Log },
  id: string,
): Note {
  return (level, code, message) => {
    store
      .addEvent(id, { level, code, message })
      .catch((error: unknown) => log.warn({ err: error, code }, "an event was not written"));
  };
}
