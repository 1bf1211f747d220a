import type { UserSettings } from "../auth/user-settings.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { Owner } from "../engine/engine.ts";
import { portOrigin } from "../ports/hostname.ts";
import type { CredentialAnswer, DetectedPort, WorkspaceAsk } from "../protocol/control.ts";
import { OneloopError } from "../protocol/errors.ts";
import { controlPlaneActor, supervisorPaths, type WorkspaceSetup } from "../protocol/supervisor.ts";
import { parseContextUrl } from "../repo/context-url.ts";
import { ControlStreams, type ControlListener } from "../terminals/control-streams.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { ownerOf, type InsideHooks } from "./reconciler.ts";
import type { PublicAddress } from "./views.ts";
import { countWork } from "./work.ts";
import type { Workspaces } from "./workspaces.ts";

/** After a person did something, their work is counted again, but not more often than this. */
const countEveryMs = 30_000;

export interface InsideParts {
  readonly store: WorkspaceStore;
  readonly settings: UserSettings;
  readonly supervisors: Supervisors;
  readonly address: PublicAddress;
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

  constructor(parts: InsideParts) {
    this.#parts = parts;
    const { supervisors, log } = parts;
    this.#control = new ControlStreams({ supervisors, listener: this, log });
  }

  /** Who answers for the person when a program in their workspace asks. */
  serve(workspaces: Pick<Workspaces, "summary" | "stop">): void {
    this.#workspaces = workspaces;
  }

  running(row: WorkspaceRow): void {
    this.#control.hold(ownerOf(row));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#control[Symbol.asyncDispose]();
  }

  async onPorts(owner: Owner, ports: readonly DetectedPort[]): Promise<void> {
    const sorted = ports.toSorted((a, b) => a.port - b.port);
    await this.#parts.store.setPorts(owner.id, sorted);
  }

  async onActivity(owner: Owner): Promise<void> {
    const { store, clock } = this.#parts;
    const row = await store.byId(owner.id);
    if (row === null || row.state !== "running") return;
    await store.touch(row.id);
    if (clock.now() - (this.#counted.get(row.id) ?? 0) >= countEveryMs) await this.countWork(row);
  }

  async onTask(
    owner: Owner,
    task: { readonly name: string; readonly state: "done" | "failed"; exitCode: number | null },
  ): Promise<void> {
    if (task.state === "done") return;
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
    const running = (await store.list(userId)).filter(({ state }) => state === "running");
    for (const row of running) {
      await this.tellSetup(row).catch((error: unknown) =>
        log.warn({ err: error, workspace: row.id }, "a workspace was not told of a change"),
      );
    }
  }

  async #setupOf(row: WorkspaceRow): Promise<WorkspaceSetup> {
    const { settings } = this.#parts;
    const [profile, env] = await Promise.all([
      settings.profile(row.ownerId),
      settings.variablesFor(row.ownerId, repositoryLabel(row.repository)),
    ]);
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
      const work = await countWork(supervisors, { owner: ownerOf(row), checkout, now });
      if (work !== null) await store.setWork(row.id, work);
    } catch (error) {
      log.debug({ err: error, workspace: row.id }, "unsaved work was not counted");
    }
  }

  /** Nothing runs there any more. */
  async ended(id: string): Promise<void> {
    this.#control.release({ kind: "workspace", id });
    this.#counted.delete(id);
    await this.#parts.store.setPorts(id, []);
  }

  /**
   * The owner's credential, for the hosts of this workspace's own remotes only. What reads it here
   * can use it for all that it is good for: that is the person's choice when they store it.
   */
  async #credential(
    row: WorkspaceRow,
    ask: Extract<WorkspaceAsk, { kind: "credential" }>,
  ): Promise<CredentialAnswer> {
    const { settings } = this.#parts;
    const profile = await settings.profile(row.ownerId);
    const { checkout, projects = [] } = row.plan;
    const remotes = [checkout?.url, ...projects.map(({ url }) => url), profile.dotfilesUrl];
    const origins = remotes.flatMap((url) => originOf(url ?? null) ?? []);
    const asked = `${ask.protocol.toLowerCase()}://${ask.host.toLowerCase()}`;
    return origins.includes(asked) ? settings.credentialFor(row.ownerId, ask.host) : null;
  }
}

/** The scheme and host of a remote that git asks credentials for; null for ssh and file. */
function originOf(url: string | null): string | null {
  if (url === null || !/^https?:\/\//.test(url)) return null;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** `host/owner/repo` of a repository's URL, as patterns of variables name it. */
export function repositoryLabel(repository: string): string {
  try {
    const { host, path } = parseContextUrl(repository);
    return `${host ?? "localhost"}/${path.replace(/^\//, "").replace(/\.git$/, "")}`;
  } catch {
    return repository;
  }
}

/** A name that a workspace gave, for an event that people read. */
function printable(name: string): string {
  return name.replaceAll(/\p{C}/gu, "?").slice(0, 100);
}
