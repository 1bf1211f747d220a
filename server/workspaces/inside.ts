import type { UserSettings } from "../auth/user-settings.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { Owner } from "../engine/steps.ts";
import { portOrigin } from "../ports/hostname.ts";
import type {
  CredentialAnswer,
  DetectedPort,
  FilesMessage,
  TaskMessage,
  WatchedFolder,
  WorkspaceAsk,
} from "../protocol/control.ts";
import { OneloopError } from "../protocol/errors.ts";
import { controlPlaneActor, supervisorPaths, type WorkspaceSetup } from "../protocol/supervisor.ts";
import { ControlStreams, type ControlListener } from "../terminals/control-streams.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { devEnvironment, valuesOf } from "./mirror/values.ts";
import { ownerOf, type InsideHooks } from "./reconciler.ts";
import type { TaskNews } from "./task-news.ts";
import type { PublicAddress } from "./views.ts";
import { countWork } from "./work.ts";
import type { Workspaces } from "./workspaces.ts";

/** After a person did something, their work is counted again, but not more often than this. */
const countEveryMs = 30_000;
/** Every sign of life is told to whoever looks; a workspace that sends more is not believed. */
const touchEveryMs = 10_000;

export interface InsideParts {
  readonly store: WorkspaceStore;
  readonly settings: UserSettings;
  readonly supervisors: Pick<Supervisors, "exec" | "json" | "upgrade">;
  readonly tasks: Pick<TaskNews, "tell">;
  readonly address: PublicAddress;
  /** From which secrets are made that production has and the person does not give. */
  readonly secretKey: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What goes between the control plane and the inside of a running workspace. */
export class Inside implements ControlListener, InsideHooks, AsyncDisposable {
  readonly #parts: InsideParts;
  readonly #control: ControlStreams;
  #workspaces: Pick<Workspaces, "summary" | "stop"> | null = null;
  /** When each workspace's work was counted last, in ms since 1970. */
  readonly #counted = new Map<string, number>();
  /** When each workspace was active last, in ms since 1970. */
  readonly #touched = new Map<string, number>();
  readonly #counting = new Set<Promise<void>>();
  /** The last telling of each workspace's setup: what was read first is told first. */
  readonly #telling = new Map<string, Promise<void>>();
  readonly #ended = new AbortController();

  constructor(parts: InsideParts) {
    this.#parts = parts;
    const { supervisors, log } = parts;
    this.#control = new ControlStreams({ supervisors, listener: this, log });
  }

  /** Who answers for the person when a program in their workspace asks. */
  serve(workspaces: Pick<Workspaces, "summary" | "stop">): void {
    this.#workspaces = workspaces;
  }

  /** Has folders of a workspace watched; what changes in them is told to `onFilesOf`. */
  watch(owner: Owner, folders: readonly WatchedFolder[]): void {
    this.#control.watch(owner, folders);
  }

  /** Who hears of changed files, by the workspace's id. */
  onFilesOf: ((id: string, files: FilesMessage) => void) | null = null;

  async onFiles(owner: Owner, files: FilesMessage): Promise<void> {
    this.onFilesOf?.(owner.id, files);
  }

  running(row: WorkspaceRow): void {
    this.#control.hold(ownerOf(row));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#control[Symbol.asyncDispose]();
    await Promise.all(this.#counting);
  }

  async onPorts(owner: Owner, ports: readonly DetectedPort[]): Promise<void> {
    const sorted = ports.toSorted((a, b) => a.port - b.port);
    await this.#parts.store.setPorts(owner.id, sorted);
  }

  async onActivity(owner: Owner): Promise<void> {
    const { store, clock } = this.#parts;
    const now = clock.now();
    if (now - (this.#touched.get(owner.id) ?? 0) < touchEveryMs) return;
    this.#touched.set(owner.id, now);
    const row = await store.byId(owner.id);
    if (row === null || row.state !== "running") return;
    await store.touch(row.id);
    if (now - (this.#counted.get(row.id) ?? 0) >= countEveryMs) this.#countLater(row);
  }

  /** The stream that the activity came on is read on meanwhile. */
  #countLater(row: WorkspaceRow): void {
    const counting = this.countWork(row).finally(() => this.#counting.delete(counting));
    this.#counting.add(counting);
  }

  /** Who looks is told of all that begins and ends; what people read later has the failures only. */
  async onTask(owner: Owner, task: Omit<TaskMessage, "type">): Promise<void> {
    this.#parts.tasks.tell(owner.id);
    if (task.state !== "failed") return;
    const name = printable(task.name);
    await this.#parts.store.addEvent(owner.id, {
      level: "warning",
      code: "task-failed",
      message:
        task.exitCode === null
          ? `The task ${name} did not run: something that it needs failed.`
          : `The task ${name} ended with status ${task.exitCode}. Its terminal says why.`,
    });
  }

  async onAsk(owner: Owner, ask: WorkspaceAsk): Promise<unknown> {
    const { store, address } = this.#parts;
    const row = await store.byId(owner.id);
    const workspaces = this.#workspaces;
    if (row === null || workspaces === null)
      throw new OneloopError("not-found", "This workspace is deleted.");
    const user = { id: row.ownerId };
    switch (ask.kind) {
      case "credential":
        return this.#credential(row, ask);
      case "show":
        return workspaces.summary(user, row.id);
      case "url": {
        const { port, service } = ask;
        if (service !== null && !row.plan.services.some(({ name }) => name === service)) {
          throw new OneloopError("not-found", `There is no service ${printable(service)} here.`);
        }
        const portHost = { port, service, workspace: row.name };
        return { url: `${portOrigin(portHost, new URL(address.publicUrl), address.domain)}/` };
      }
      case "stop":
        await workspaces.stop(user, row.id);
        return {};
      default:
        return ask satisfies never;
    }
  }

  /** Tells a workspace whose it is and what they keep for it; the first time starts its tasks. */
  async tellSetup(row: WorkspaceRow): Promise<void> {
    const before = this.#telling.get(row.id);
    const telling = (before ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#tellSetup(row));
    this.#telling.set(row.id, telling);
    try {
      await telling;
    } finally {
      if (this.#telling.get(row.id) === telling) this.#telling.delete(row.id);
    }
  }

  async #tellSetup(row: WorkspaceRow): Promise<void> {
    const target = { owner: ownerOf(row), actor: controlPlaneActor };
    const call = { action: "setup", method: "POST", path: supervisorPaths.setup } as const;
    try {
      await this.#parts.supervisors.json(target, { ...call, body: await this.#setupOf(row) });
    } catch (error) {
      // A supervisor of the version before takes none, and has started its tasks already.
      if (!(error instanceof OneloopError && error.code === "not-found")) throw error;
    }
  }

  /** After a person changed what they keep: what starts from now on has it. */
  async tellAll(userId: string): Promise<void> {
    const { store, log } = this.#parts;
    const rows = await store.list(userId);
    // One that starts may have been told already, of what was before.
    for (const row of rows.filter(({ state }) => state === "running" || state === "starting")) {
      await this.tellSetup(row).catch((error: unknown) =>
        log.warn({ err: error, workspace: row.id }, "a workspace was not told of a change"),
      );
    }
  }

  async #setupOf(row: WorkspaceRow): Promise<WorkspaceSetup> {
    const { settings } = this.#parts;
    const [profile, values] = await Promise.all([
      settings.profile(row.ownerId),
      valuesOf(this.#parts, row),
    ]);
    // What production puts together of secrets goes the way of the person's own: it stands in no
    // container's configuration.
    const env = { ...devEnvironment(row, values), ...values.variables };
    const { commitName: name, commitEmail: email } = profile;
    return { env, git: name === null || email === null ? null : { name, email } };
  }

  /** Counts what exists only in the workspace; a failure leaves what was counted before. */
  async countWork(row: WorkspaceRow): Promise<void> {
    const { store, supervisors, clock, log } = this.#parts;
    const { checkout } = row.plan;
    if (checkout === null) return;
    this.#counted.set(row.id, clock.now());
    try {
      const now = new Date(clock.now());
      const signal = this.#ended.signal;
      const work = await countWork(supervisors, { owner: ownerOf(row), checkout, now, signal });
      if (work !== null) await store.setWork(row.id, work);
    } catch (error) {
      log.debug({ err: error, workspace: row.id }, "unsaved work was not counted");
    }
  }

  /** Nothing runs there any more. */
  async ended(id: string): Promise<void> {
    this.#control.release({ kind: "workspace", id });
    this.#counted.delete(id);
    this.#touched.delete(id);
    await this.#parts.store.setPorts(id, []);
  }

  /**
   * The owner's credential, for the hosts of what they named themselves only: the repository that
   * they opened, and their dotfiles. What reads it here can use it for all that it is good for: a
   * devfile's projects must not choose which host's that is.
   */
  async #credential(
    row: WorkspaceRow,
    ask: Extract<WorkspaceAsk, { kind: "credential" }>,
  ): Promise<CredentialAnswer> {
    const { settings } = this.#parts;
    const profile = await settings.profile(row.ownerId);
    const remotes = [row.plan.checkout?.url, profile.dotfilesUrl];
    const origins = remotes.flatMap((url) => originOf(url ?? null) ?? []);
    const [scheme, host] = [ask.protocol.toLowerCase(), ask.host.toLowerCase()];
    if (!origins.includes(`${scheme}://${host}`)) return null;
    return settings.credentialFor(row.ownerId, { scheme, host });
  }
}

/** The scheme and host of a remote that git asks credentials for; null for ssh and file. */
function originOf(url: string | null): string | null {
  if (url === null || !/^https?:\/\//.test(url) || !URL.canParse(url)) return null;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** A name that a workspace gave, for an event that people read. */
function printable(name: string): string {
  return name.replaceAll(/\p{C}/gu, "?").slice(0, 100);
}
