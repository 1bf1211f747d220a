import { eq, inArray, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { workspaceServices } from "./schema.ts";

export type ServiceRow = typeof workspaceServices.$inferSelect;
export type ServiceStatus = Omit<ServiceRow, "workspaceId">;

/** Queries on the states of mirrored services. Every write is told on the change channel. */
export class ServiceStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Of several workspaces at once. */
  async list(...workspaceIds: readonly string[]): Promise<ServiceRow[]> {
    if (workspaceIds.length === 0) return [];
    return this.#database.db
      .select()
      .from(workspaceServices)
      .where(inArray(workspaceServices.workspaceId, workspaceIds));
  }

  /** Writes what became of some services of a workspace, and tells it once. */
  async write(workspaceId: string, services: readonly ServiceStatus[]): Promise<void> {
    if (services.length === 0) return;
    const excluded = (column: string) => sql.raw(`excluded.${column}`);
    await this.#database.db
      .insert(workspaceServices)
      .values(services.map((service) => ({ workspaceId, ...service })))
      .onConflictDoUpdate({
        target: [workspaceServices.workspaceId, workspaceServices.service],
        set: {
          state: excluded("state"),
          health: excluded("health"),
          reason: excluded("reason"),
          restarts: excluded("restarts"),
          since: excluded("since"),
        },
      });
    await this.#database.notify(workspaceId);
  }

  /** Nothing of the workspace runs any more. */
  async clear(workspaceId: string): Promise<void> {
    const gone = await this.#database.db
      .delete(workspaceServices)
      .where(eq(workspaceServices.workspaceId, workspaceId))
      .returning({ service: workspaceServices.service });
    if (gone.length > 0) await this.#database.notify(workspaceId);
  }
}
