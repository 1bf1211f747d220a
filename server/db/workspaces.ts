import { and, asc, desc, eq, gt, inArray, isNull, ne, or, sql, type SQL } from "drizzle-orm";
import type { DetectedPort } from "../protocol/control.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type {
  DesiredState,
  WorkCounts,
  WorkspaceEvent,
  WorkspaceState,
} from "../protocol/workspace.ts";
import type { Database } from "./database.ts";
import {
  events,
  machines,
  portSettings,
  preparedWorkspaces,
  workspaceConfigurations,
  workspaces,
} from "./schema.ts";

export type WorkspaceRow = typeof workspaces.$inferSelect;
export type NewWorkspace = Pick<
  typeof workspaces.$inferInsert,
  "id" | "name" | "ownerId" | "machineId" | "contextUrl" | "repository" | "ref" | "commit" | "plan"
>;

/** By what a workspace was opened; `given` null: its commit has the text. */
export type OpenedBy = Pick<typeof workspaceConfigurations.$inferSelect, "path" | "given">;

export type PortSetting = Pick<typeof portSettings.$inferSelect, "service" | "port" | "visibility">;

export interface NewEvent {
  readonly level: "info" | "warning" | "error";
  readonly code: string;
  readonly message: string;
}

/** Events of a workspace that are kept; older ones go with the next insert. */
const keptEvents = 500;

/** The state that a wish leads to at once; the reconciler does the rest. */
function stateAfterWish(state: WorkspaceState, desired: DesiredState): WorkspaceState {
  switch (desired) {
    case "running":
      return state === "stopped" || state === "failed" ? "starting" : state;
    case "stopped":
      return state === "starting" || state === "running" || state === "failed" ? "stopping" : state;
    case "deleted":
      return "deleting";
    default:
      return desired satisfies never;
  }
}

/** Queries on workspaces and their events. Every write is told on the change channel. */
export class WorkspaceStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get #db(): Database["db"] {
    return this.#database.db;
  }

  async ensureMachine(machine: { id: string; name: string; engine: string }): Promise<void> {
    await this.#db.insert(machines).values(machine).onConflictDoNothing();
  }

  /** Null when the user has a workspace of this ref already, or the name is taken. */
  async insert(workspace: NewWorkspace, openedBy?: OpenedBy): Promise<WorkspaceRow | null> {
    const made = await this.#db.transaction(async (transaction) => {
      const [row] = await transaction
        .insert(workspaces)
        .values({ ...workspace, desired: "running", state: "starting" })
        .onConflictDoNothing()
        .returning();
      if (row !== undefined && openedBy !== undefined) {
        const { path, given } = openedBy;
        await transaction
          .insert(workspaceConfigurations)
          .values({ workspaceId: row.id, path, given });
      }
      return row;
    });
    if (made !== undefined) await this.#database.notify(made.id);
    return made ?? null;
  }

  /** Null for a workspace that is older than this is kept. */
  async openedBy(id: string): Promise<OpenedBy | null> {
    const { path, given, workspaceId } = workspaceConfigurations;
    const [found] = await this.#db
      .select({ path, given })
      .from(workspaceConfigurations)
      .where(eq(workspaceId, id));
    return found ?? null;
  }

  async findOfRef(key: {
    ownerId: string;
    repository: string;
    ref: string | null;
    commit: string;
  }): Promise<WorkspaceRow | null> {
    const [found] = await this.#db
      .select()
      .from(workspaces)
      .where(
        and(
          eq(workspaces.ownerId, key.ownerId),
          eq(workspaces.repository, key.repository),
          sql`coalesce(${workspaces.ref}, ${workspaces.commit}) = ${key.ref ?? key.commit}`,
          ne(workspaces.desired, "deleted"),
        ),
      );
    return found ?? null;
  }

  async byId(id: string): Promise<WorkspaceRow | null> {
    const [found] = await this.#db.select().from(workspaces).where(eq(workspaces.id, id));
    return found ?? null;
  }

  /** By name or id, of this owner only: another's workspace is as one that does not exist. */
  async find(ownerId: string, nameOrId: string): Promise<WorkspaceRow | null> {
    // As a login name or a path it may come; the database would refuse to look for it.
    if (nameOrId.includes("\0")) return null;
    const [found] = await this.#db
      .select()
      .from(workspaces)
      .where(
        and(
          eq(workspaces.ownerId, ownerId),
          or(eq(workspaces.name, nameOrId), eq(workspaces.id, nameOrId)),
        ),
      );
    return found ?? null;
  }

  async list(ownerId: string): Promise<WorkspaceRow[]> {
    return this.#db
      .select()
      .from(workspaces)
      .where(eq(workspaces.ownerId, ownerId))
      .orderBy(desc(workspaces.lastUsedAt));
  }

  async ids(): Promise<string[]> {
    const rows = await this.#db.select({ id: workspaces.id }).from(workspaces);
    return rows.map(({ id }) => id);
  }

  /**
   * Writes what the user asks for, and the state that follows from it at once. The generation is
   * raised, so that a step that still works on the old wish writes nothing any more. Deleting is
   * final.
   *
   * @returns the row, or null when it is being deleted already.
   */
  async setDesired(
    id: string,
    desired: DesiredState,
    options: { force?: boolean } = {},
  ): Promise<WorkspaceRow | null> {
    const row = await this.#db.transaction(async (tx) => {
      const [now] = await tx.select().from(workspaces).where(eq(workspaces.id, id)).for("update");
      if (now === undefined || (now.desired === "deleted" && now.state === "deleting")) return null;
      const [changed] = await tx
        .update(workspaces)
        .set({
          desired,
          state: stateAfterWish(now.state, desired),
          generation: now.generation + 1,
          lastUsedAt: new Date(),
          errorCode: null,
          errorMessage: null,
          deleteForced: options.force ?? false,
        })
        .where(eq(workspaces.id, id))
        .returning();
      return changed ?? null;
    });
    if (row !== null) await this.#database.notify(id);
    return row;
  }

  /**
   * Takes or renews the right to act on a workspace. A holder takes its own lease at once: it is
   * the same control plane, started again.
   *
   * @returns the row with its generation, or null when another control plane holds it.
   */
  async lease(id: string, holder: string, seconds: number): Promise<WorkspaceRow | null> {
    const [row] = await this.#db
      .update(workspaces)
      .set({
        leaseHolder: holder,
        leaseUntil: sql`now() + make_interval(secs => ${seconds})`,
        generation: sql`${workspaces.generation} + 1`,
      })
      .where(
        and(
          eq(workspaces.id, id),
          or(
            isNull(workspaces.leaseHolder),
            eq(workspaces.leaseHolder, holder),
            sql`${workspaces.leaseUntil} < now()`,
          ),
        ),
      )
      .returning();
    return row ?? null;
  }

  /** Prolongs a lease that is still ours; false when it is not. */
  async renew(id: string, generation: number, seconds: number): Promise<boolean> {
    const rows = await this.#db
      .update(workspaces)
      .set({ leaseUntil: sql`now() + make_interval(secs => ${seconds})` })
      .where(and(eq(workspaces.id, id), eq(workspaces.generation, generation)))
      .returning({ id: workspaces.id });
    return rows.length > 0;
  }

  /** Writes what was observed, if the generation is still ours; false when it is not. */
  async record(
    id: string,
    generation: number,
    change: {
      readonly state?: WorkspaceState;
      readonly desired?: DesiredState;
      readonly checkedOut?: boolean;
      readonly afterStop?: readonly string[] | null;
      readonly error?: { readonly code: ErrorCode; readonly message: string } | null;
    },
  ): Promise<boolean> {
    const rows = await this.#db
      .update(workspaces)
      .set({
        ...(change.state === undefined ? {} : { state: change.state }),
        ...(change.desired === undefined ? {} : { desired: change.desired }),
        ...(change.checkedOut === undefined ? {} : { checkedOut: change.checkedOut }),
        ...(change.afterStop === undefined
          ? {}
          : { afterStop: change.afterStop === null ? null : [...change.afterStop] }),
        ...(change.error === undefined
          ? {}
          : { errorCode: change.error?.code ?? null, errorMessage: change.error?.message ?? null }),
      })
      .where(and(eq(workspaces.id, id), eq(workspaces.generation, generation)))
      .returning({ id: workspaces.id });
    if (rows.length > 0) await this.#database.notify(id);
    return rows.length > 0;
  }

  /** Forgets a workspace of which nothing is left, with its events. */
  async forget(id: string, generation: number): Promise<void> {
    await this.#db
      .delete(workspaces)
      .where(and(eq(workspaces.id, id), eq(workspaces.generation, generation)));
    await this.#database.notify(id);
  }

  async addEvent(workspaceId: string, event: NewEvent): Promise<void> {
    const [row] = await this.#db
      .insert(events)
      .values({ workspaceId, ...event })
      .returning({ id: events.id });
    if (row !== undefined && row.id % keptEvents === 0) await this.#dropOldEvents(workspaceId);
    await this.#database.notify(workspaceId);
  }

  /** In order of time, the newest `keptEvents` at most. */
  async eventsAfter(workspaceId: string, id: number): Promise<WorkspaceEvent[]> {
    const rows = await this.#db
      .select()
      .from(events)
      .where(and(eq(events.workspaceId, workspaceId), gt(events.id, id)))
      .orderBy(asc(events.id))
      .limit(keptEvents);
    return rows.map((row) => ({
      id: row.id,
      at: row.at.toISOString(),
      level: row.level,
      code: row.code,
      message: row.message,
      ...(row.file === null ? {} : { file: row.file }),
      ...(row.line === null ? {} : { line: row.line }),
      ...(row.column === null ? {} : { column: row.column }),
    }));
  }

  /** What listens, as the workspace says it; told only where it changed. */
  async setPorts(id: string, ports: readonly DetectedPort[]): Promise<void> {
    const text = JSON.stringify(ports);
    const changed = sql`${workspaces.ports} <> ${text}::jsonb`;
    // Word of what listened may come when it was ended already.
    const alive =
      ports.length === 0 ? undefined : inArray(workspaces.state, ["starting", "running"]);
    await this.#change(id, { ports: [...ports] }, and(changed, alive));
  }

  /** Commits that the remote's branch has more; null where that is not known. */
  async setBehind(id: string, behind: number | null): Promise<void> {
    await this.#change(id, { behind }, sql`${workspaces.behind} is distinct from ${behind}`);
  }

  async setWork(id: string, work: WorkCounts): Promise<void> {
    await this.#change(id, { work });
  }

  /** Now, in the list's order. */
  async touch(id: string): Promise<void> {
    await this.#change(id, { lastUsedAt: new Date() });
  }

  /** Of several workspaces at once. */
  async portSettings(
    ...workspaceIds: readonly string[]
  ): Promise<(PortSetting & { readonly workspaceId: string })[]> {
    return this.#db
      .select({
        workspaceId: portSettings.workspaceId,
        service: portSettings.service,
        port: portSettings.port,
        visibility: portSettings.visibility,
      })
      .from(portSettings)
      .where(inArray(portSettings.workspaceId, workspaceIds));
  }

  /**
   * `private` is what a port is without a setting.
   *
   * @param most settings of a workspace.
   * @returns false where it has so many already.
   */
  async setPort(workspaceId: string, setting: PortSetting, most: number): Promise<boolean> {
    const { service, port, visibility } = setting;
    const set = await this.#db.transaction(async (tx) => {
      // One after the other: two at once would both find room.
      await tx.select().from(workspaces).where(eq(workspaces.id, workspaceId)).for("update");
      const ofWorkspace = eq(portSettings.workspaceId, workspaceId);
      const same = and(ofWorkspace, eq(portSettings.service, service), eq(portSettings.port, port));
      await tx.delete(portSettings).where(same);
      if (visibility === "private") return true;
      if ((await tx.$count(portSettings, ofWorkspace)) >= most) return false;
      await tx.insert(portSettings).values({ workspaceId, ...setting });
      return true;
    });
    if (set) await this.#database.notify(workspaceId);
    return set;
  }

  /** By name, whoever owns it: for doors that know nothing of the person yet. */
  async byName(name: string): Promise<WorkspaceRow | null> {
    const [found] = await this.#db.select().from(workspaces).where(eq(workspaces.name, name));
    return found ?? null;
  }

  async countOf(ownerId: string): Promise<number> {
    return this.#db.$count(workspaces, eq(workspaces.ownerId, ownerId));
  }

  async #change(
    id: string,
    change: Partial<typeof workspaces.$inferInsert>,
    only?: SQL,
  ): Promise<void> {
    const changed = await this.#db
      .update(workspaces)
      .set(change)
      .where(and(eq(workspaces.id, id), only))
      .returning({ id: workspaces.id });
    if (changed.length > 0) await this.#database.notify(id);
  }

  async addPrepared(prepared: { id: string; holder: string }): Promise<void> {
    await this.#db.insert(preparedWorkspaces).values(prepared);
  }

  async removePrepared(id: string): Promise<void> {
    await this.#db.delete(preparedWorkspaces).where(eq(preparedWorkspaces.id, id));
  }

  /** Of all control planes. */
  async prepared(): Promise<{ id: string; holder: string }[]> {
    return this.#db.select().from(preparedWorkspaces);
  }

  async #dropOldEvents(workspaceId: string): Promise<void> {
    await this.#db.execute(sql`
      delete from ${events} where ${events.workspaceId} = ${workspaceId} and ${events.id} < (
        select min(id) from (
          select id from ${events} where ${events.workspaceId} = ${workspaceId}
          order by id desc limit ${keptEvents}
        ) newest
      )`);
  }
}
