import type { SignedIn } from "../auth/accounts.ts";
import type { Database } from "../db/database.ts";
import type { PortSetting, WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { ServiceRow, ServiceStore } from "../db/workspace-services.ts";
import type { Engine } from "../engine/engine.ts";
import type { Observed } from "../engine/observed.ts";
import type { Owner } from "../engine/steps.ts";
import type { DriftPage } from "../protocol/drift.ts";
import { OneloopError } from "../protocol/errors.ts";
import type {
  CommandView,
  DesiredState,
  PortVisibility,
  ServiceSetting,
  UnsavedWork,
  WorkspaceDetail,
  WorkspaceSummary,
  WorkspaceUpdate,
} from "../protocol/workspace.ts";
import type { ConfigurationView, Preview } from "../protocol/preview.ts";
import { deadline } from "../util/deadline.ts";
import { Poke } from "../util/poke.ts";
import { openWorkspace, refreshBehind, type OpenParts } from "./open.ts";
import { commandsOf, terminalOf } from "./offered.ts";
import { OwnChanges } from "./own-changes.ts";
import { parseLogin, placeIn, type Place } from "./places.ts";
import {
  configurationOf,
  previewFolder,
  previewUrl,
  type ConfigurationRequest,
} from "./preview.ts";
import { ownerOf, type Reconciler } from "./reconciler.ts";
import { readServiceLog, type LogPart, type LogParts, type LogRequest } from "./service-logs.ts";
import { findUnsavedWork, isEmpty } from "./source.ts";
import type { Mirrors } from "./mirror/mirrors.ts";
import { serviceSettings } from "./service-settings.ts";
import type { TaskNews } from "./task-news.ts";
import { updatesOf, type UpdateParts } from "./updates.ts";
import { driftOf, type ComparedWith, type DriftParts } from "./workspace-drift.ts";
import {
  detail,
  hasServicesToAskFor,
  summarize,
  type PublicAddress,
  type ViewParts,
} from "./views.ts";

/** The same as for a workspace that is not there: nobody learns which names others have. */
function noSuchWorkspace(name: string): OneloopError {
  return new OneloopError("not-found", `You have no workspace ${name}. \`loop list\` shows yours.`);
}

export interface WorkspacesParts extends OpenParts {
  readonly environments: DriftParts["environments"];
  readonly supervisors: LogParts["supervisors"];
  readonly store: WorkspaceStore;
  readonly database: Database;
  readonly engine: Engine;
  readonly reconciler: Reconciler;
  readonly mirrors: Pick<Mirrors, "restart" | "rebuild" | "synced">;
  readonly services: Pick<ServiceStore, "list">;
  readonly tasks: Pick<TaskNews, "listen">;
  readonly address: PublicAddress;
}

/** An engine that can answers within milliseconds, and within a second on a busy machine. */
const observeMs = 5000;

/** Ports that others may see, of a workspace: above what any repository needs. */
const mostPortSettings = 200;

/** What was asked of the database for many workspaces at once. */
interface KnownOfRow {
  readonly settings: readonly PortSetting[];
  readonly statuses: readonly ServiceRow[];
}

/** How somebody waits for a workspace's start. */
export interface StartWait {
  readonly signal: AbortSignal;
  /** Told once, where there is something to wait for. */
  readonly onWait: (sentence: string) => void;
}

/** Everything that a signed-in user can do with workspaces: his own only. */
export class Workspaces {
  readonly #parts: WorkspacesParts;
  readonly #ownChanges: OwnChanges;

  constructor(parts: WorkspacesParts) {
    this.#parts = parts;
    this.#ownChanges = new OwnChanges(parts);
  }

  /** Opens a context URL, or returns and starts the workspace that the user has of it. */
  async open(
    user: SignedIn,
    request: ConfigurationRequest,
  ): Promise<{
    workspace: WorkspaceSummary;
    existing: boolean;
    configuration: ConfigurationView | null;
  }> {
    const { row, ...opened } = await openWorkspace(this.#parts, user, request);
    return { workspace: await this.#summary(row), ...opened };
  }

  /** What an open would run, and why; starts nothing. */
  preview(user: SignedIn, request: ConfigurationRequest): Promise<Preview> {
    return previewUrl(this.#parts, user, request);
  }

  /** What a folder of the user's own machine would run. */
  previewFolder(user: SignedIn, request: Parameters<typeof previewFolder>[2]): Promise<Preview> {
    return previewFolder(this.#parts, user, request);
  }

  /** The text that an open would read, or the one that was found where there is none. */
  devfile(user: SignedIn, request: ConfigurationRequest): Promise<{ path: string; text: string }> {
    return configurationOf(this.#parts, user, request);
  }

  /** The commands that a workspace offers: each runs in a terminal of its own, when asked for. */
  async commands(user: { id: string }, name: string): Promise<CommandView[]> {
    const { plan } = await this.#find(user, name);
    return commandsOf(plan);
  }

  /** @throws OneloopError `not-found` where the workspace offers no such command */
  async terminalOf(
    user: { id: string },
    name: string,
    command: string,
  ): Promise<ReturnType<typeof terminalOf>> {
    const { plan } = await this.#find(user, name);
    return terminalOf(plan, command);
  }

  /** Asks the remote how many commits its branch has more; pulls nothing. */
  async refresh(user: SignedIn, name: string): Promise<WorkspaceSummary> {
    const row = await this.#find(user, name);
    await refreshBehind(this.#parts, user, row);
    return this.#summary(await this.#find(user, row.id));
  }

  /** @param setting.service null: the dev container, and what shares its network. */
  async setPortVisibility(
    user: { id: string },
    name: string,
    setting: { port: number; service: string | null; visibility: PortVisibility },
  ): Promise<WorkspaceSummary> {
    const row = await this.#find(user, name);
    const { service } = setting;
    placeIn(row, service);
    const { store } = this.#parts;
    if (!(await store.setPort(row.id, { ...setting, service: service ?? "" }, mostPortSettings))) {
      throw new OneloopError(
        "conflict",
        `${row.name} has ${mostPortSettings} ports that others may see. Make one of them private first.`,
      );
    }
    return this.#summary(row);
  }

  async list(user: { id: string }): Promise<WorkspaceSummary[]> {
    const { store, services } = this.#parts;
    const rows = await store.list(user.id);
    const ids = rows.map(({ id }) => id);
    const [settings, statuses] = await Promise.all([
      store.portSettings(...ids),
      services.list(...ids),
    ]);
    const of = <Of extends { workspaceId: string }>(all: readonly Of[], id: string): Of[] =>
      all.filter(({ workspaceId }) => workspaceId === id);
    return Promise.all(
      rows.map((row) =>
        this.#summary(row, { settings: of(settings, row.id), statuses: of(statuses, row.id) }),
      ),
    );
  }

  async show(user: { id: string }, name: string): Promise<WorkspaceDetail> {
    const row = await this.#find(user, name);
    const [more, events] = await Promise.all([
      this.#viewParts(row),
      this.#parts.store.eventsAfter(row.id, 0),
    ]);
    return detail(row, { ...more, events });
  }

  async summary(user: { id: string }, name: string): Promise<WorkspaceSummary> {
    return this.#summary(await this.#find(user, name));
  }

  async start(user: { id: string }, name: string): Promise<WorkspaceSummary> {
    return this.#wish(await this.#find(user, name), "running");
  }

  async stop(user: { id: string }, name: string): Promise<WorkspaceSummary> {
    return this.#wish(await this.#find(user, name), "stopped");
  }

  /** Starts one of production's services again; what becomes of it, its state says. */
  async restartService(user: { id: string }, name: string, service: string): Promise<void> {
    this.#parts.mirrors.restart(await this.#find(user, name), service);
  }

  /** Builds its image from the workspace's present files first. */
  async rebuildService(user: { id: string }, name: string, service: string): Promise<void> {
    this.#parts.mirrors.rebuild(await this.#find(user, name), service);
  }

  /** Every setting of a service as it runs, with the lines that ask for it. */
  async serviceSettings(
    user: { id: string },
    name: string,
    service: string,
  ): Promise<ServiceSetting[]> {
    const row = await this.#find(user, name);
    const synced = this.#parts.mirrors.synced(row, service);
    return [
      ...serviceSettings(row.plan, service),
      ...synced.map(({ what, how, where }) => ({
        name: `saved ${what}`,
        value: how,
        where: [where],
      })),
    ];
  }

  /** How what it runs differs from the production that it mirrors, or from an environment. */
  async drift(user: SignedIn, name: string, other: ComparedWith): Promise<DriftPage> {
    return driftOf(this.#parts, { user, row: await this.#find(user, name) }, other);
  }

  /** The same; null where there is nothing to compare it with. */
  async driftIfAny(user: SignedIn, name: string, other: ComparedWith): Promise<DriftPage | null> {
    const { plan } = await this.#find(user, name);
    const isNothing = plan.mirror === undefined && other.environment === null;
    return isNothing ? null : this.drift(user, name, other);
  }

  async unsavedWork(user: { id: string }, name: string): Promise<UnsavedWork> {
    return this.#unsavedWork(await this.#find(user, name));
  }

  /** @throws OneloopError `unsaved-work` while something would be lost, unless forced. */
  async delete(user: { id: string }, name: string, options: { force: boolean }): Promise<void> {
    const row = await this.#find(user, name);
    if (!options.force) {
      const work = await this.#unsavedWork(row);
      if (!isEmpty(work)) {
        throw new OneloopError(
          "unsaved-work",
          `${row.name} has work that is nowhere else: ${counts(work)}. Push it, or delete with --force.`,
        );
      }
    }
    await this.#wish(row, "deleted", options);
  }

  /**
   * @param service null: the dev service.
   * @throws OneloopError `not-found`, `workspace-not-running`
   */
  async runningPlace(
    user: { id: string },
    name: string,
    service: string | null = null,
  ): Promise<Place> {
    const row = await this.#find(user, name);
    const place = placeIn(row, service);
    if (row.state !== "running") {
      throw new OneloopError(
        "workspace-not-running",
        `${row.name} is ${row.state}. Start it with \`loop start ${row.name}\`.`,
      );
    }
    return place;
  }

  /**
   * The place of a login name, `<workspace>` or `<workspace>.<service>`; a workspace that is stopped
   * is started. `onWait` gets a sentence for who has to wait.
   *
   * @throws OneloopError of the failed start, `workspace-not-running` while it is being stopped,
   * `cancelled` when the signal is aborted, and `not-found` for a service that is not there, before
   * anything is started.
   */
  async logIn(userId: string, login: string, waiting: StartWait): Promise<Place> {
    const { workspace, service } = parseLogin(login);
    const row = await this.#find({ id: userId }, workspace);
    const place = placeIn(row, service);
    await this.#run(row, waiting);
    return place;
  }

  /** Starts the workspace if it is stopped, and resolves when it runs. */
  async #run(row: WorkspaceRow, { signal, onWait }: StartWait): Promise<void> {
    if (row.state === "running") return;
    if (row.state === "stopping") {
      // Who stops it wins over an editor that connects again at once.
      throw new OneloopError(
        "workspace-not-running",
        `${row.name} is being stopped. A login after that starts it.`,
      );
    }
    onWait(
      row.state === "starting"
        ? `${row.name} is being started …`
        : `${row.name} is ${row.state}: it is started now …`,
    );
    if (row.state === "stopped") await this.#wish(row, "running");
    // Many may wait at once: each looks at the row alone, and not at all that a page shows.
    const poke = new Poke();
    using _listening = this.#parts.database.onChange((changed) => {
      if (changed === null || changed === row.id) poke.poke();
    });
    do {
      const { state, errorCode, errorMessage } = await this.#find({ id: row.ownerId }, row.id);
      if (state === "running") return;
      if (state === "failed" && errorCode !== null) {
        throw new OneloopError(errorCode, errorMessage ?? "The workspace failed.");
      }
    } while (await poke.wait(signal));
    throw new OneloopError("cancelled", "The wait for the workspace was given up.");
  }

  /**
   * What a service's own command prints, also of one that has ended.
   *
   * @param service null: the dev service.
   */
  async *log(
    user: { id: string },
    { name, service }: { name: string; service: string | null },
    request: LogRequest,
  ): AsyncGenerator<LogPart> {
    const row = await this.#find(user, name);
    yield* readServiceLog(this.#parts, { row, place: placeIn(row, service) }, request);
  }

  /** The state, then each event after `afterEvent` and each change, until the signal is aborted. */
  async *watch(
    user: { id: string },
    name: string,
    options: { afterEvent: number; signal: AbortSignal },
  ): AsyncGenerator<WorkspaceUpdate> {
    const { id } = await this.#find(user, name);
    const { store, database, tasks } = this.#parts;
    const parts: UpdateParts = {
      ...{ store, database, tasks },
      summary: (row) => this.#summary(row),
      lookAgainMs: (workspace) => (isUnknown(workspace) ? observeMs : null),
    };
    yield* updatesOf(parts, { userId: user.id, id }, options);
  }

  /** The whole list, again at every change of it. */
  async *watchList(user: { id: string }, signal: AbortSignal): AsyncGenerator<WorkspaceSummary[]> {
    let told = "";
    let lookAgainMs: number | null = null;
    for await (const _change of this.#ownChanges.of(user.id, signal, () => lookAgainMs)) {
      const list = await this.list(user);
      lookAgainMs = list.some(isUnknown) ? observeMs : null;
      const now = JSON.stringify(list);
      if (now !== told) yield list;
      told = now;
    }
  }

  async #find(user: { id: string }, name: string): Promise<WorkspaceRow> {
    const row = await this.#parts.store.find(user.id, name);
    if (row === null) throw noSuchWorkspace(name);
    return row;
  }

  async #wish(
    row: WorkspaceRow,
    desired: DesiredState,
    options: { force?: boolean } = {},
  ): Promise<WorkspaceSummary> {
    const wished = await this.#parts.store.setDesired(row.id, desired, options);
    if (wished === null) {
      throw new OneloopError("conflict", `${row.name} is being deleted.`);
    }
    this.#parts.reconciler.kick(row.id, { interrupt: true });
    return this.#summary(wished);
  }

  async #unsavedWork(row: WorkspaceRow): Promise<UnsavedWork> {
    const { plan } = row;
    if (!row.checkedOut) return { uncommitted: [], unpushed: [], stashes: [] };
    const signal = new AbortController().signal;
    return findUnsavedWork(this.#parts.engine, { owner: ownerOf(row), plan }, { signal });
  }

  async #viewParts(row: WorkspaceRow, known?: KnownOfRow): Promise<ViewParts> {
    const { engine, store, services, address } = this.#parts;
    const [observed, visibility, statuses] = await Promise.all([
      hasServicesToAskFor(row) ? observedSoon(engine, ownerOf(row)) : null,
      known?.settings ?? store.portSettings(row.id),
      known?.statuses ?? services.list(row.id),
    ]);
    return { observed, visibility, statuses, address };
  }

  async #summary(row: WorkspaceRow, known?: KnownOfRow): Promise<WorkspaceSummary> {
    return summarize(row, await this.#viewParts(row, known));
  }
}

/** Null where the engine does not say now: who looks at a list is not kept waiting for it. */
async function observedSoon(engine: Engine, owner: Owner): Promise<Observed | null> {
  using limit = deadline(null, observeMs);
  const { signal } = limit;
  const late = new Promise<null>((resolve) => {
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  const asked = engine.observe(owner).catch((error: unknown) => {
    if (error instanceof OneloopError) return null;
    throw error;
  });
  return await Promise.race([asked, late]);
}

/** Nothing tells when the engine answers again. */
function isUnknown({ services }: WorkspaceSummary): boolean {
  return services.some(({ state }) => state === "unknown");
}

function counts(work: UnsavedWork): string {
  const parts = [
    [work.uncommitted.length, "uncommitted change"],
    [work.unpushed.length, "unpushed commit"],
    [work.stashes.length, "stash"],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}${count === 1 ? "" : what === "stash" ? "es" : "s"}`)
    .join(", ");
}
