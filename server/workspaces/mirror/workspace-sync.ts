import type { WorkspaceRow } from "../../db/workspaces.ts";
import type { Owner } from "../../engine/steps.ts";
import { skipped } from "../../plan/mirror/sync.ts";
import { belowSourceRoot } from "../../plan/projects.ts";
import type { FilesMessage, WatchedFolder } from "../../protocol/control.ts";
import type { Builds } from "../builds.ts";
import { mirroredServices } from "./mirrored.ts";
import { readSources } from "./read-sources.ts";
import type { ServiceRun } from "./service-run.ts";
import { ServiceSync, type SyncParts, type SyncShown } from "./service-sync.ts";
import type { MirrorParts } from "./workspace-mirror.ts";

/** After a workspace that did not answer. */
const retryAfterMs = 5000;

type WorkspaceSyncParts = Pick<MirrorParts, "engine" | "supervisors" | "watch" | "timers" | "log"> &
  Pick<SyncParts, "statuses" | "step" | "note"> & {
    readonly builds: Builds;
    readonly runs: ReadonlyMap<string, ServiceRun>;
    readonly rebuild: (service: string, why: string) => Promise<void>;
  };

interface Synced {
  /** Of the build's context, in the dev container. */
  readonly folder: string;
  readonly sync: ServiceSync;
}

/** The services of a workspace that are built from it: what is saved in it comes to each of them. */
export class WorkspaceSync {
  readonly #owner: Owner;
  readonly #parts: WorkspaceSyncParts;
  readonly #synced = new Map<string, Synced>();
  /** Folders of which it was said that they are not watched. */
  readonly #unwatched = new Set<string>();

  constructor(row: WorkspaceRow, parts: WorkspaceSyncParts) {
    const { plan } = row;
    this.#owner = { kind: "workspace", id: row.id };
    this.#parts = parts;
    const { supervisors } = parts;
    const sourcePath = plan.services.find(({ name }) => name === plan.devService)?.sourcePath;
    // Without the source nobody edits it there.
    if (plan.checkout === null || typeof sourcePath !== "string") return;
    const root = sourcePath + belowSourceRoot(plan.checkout.path);
    for (const service of mirroredServices(plan)) {
      const build = plan.builds?.find(({ image }) => image === service.image);
      const run = parts.runs.get(service.name);
      const { role } = service.mirror;
      // What runs once is not run again by a save.
      const runsOn = role === "service" || role === "sidecar";
      if (build === undefined || run === undefined || !runsOn) continue;
      const folder = build.context === "" ? root : `${root}/${build.context}`;
      const sync = new ServiceSync({
        ...parts,
        ...{ owner: this.#owner, service, build, run },
        ref: () => parts.builds.nameOf(build.image),
        read: (paths, signal) =>
          readSources(supervisors, { owner: this.#owner, folder, paths }, signal),
        rebuild: (why) => parts.rebuild(service.name, why),
      });
      this.#synced.set(service.name, { folder, sync });
    }
  }

  changed(files: FilesMessage): void {
    const { folder, unwatched } = files;
    for (const synced of this.#synced.values()) {
      if (synced.folder === folder) synced.sync.changed(files);
    }
    if (unwatched === null || this.#unwatched.has(folder)) return;
    if (![...this.#synced.values()].some((synced) => synced.folder === folder)) return;
    this.#unwatched.add(folder);
    const why = unwatched.replaceAll(/\p{C}/gu, "?");
    this.#parts.note(
      "warning",
      "files-unwatched",
      `Not every change in ${folder} is seen (${why}): \`loop rebuild\` takes in what is not.`,
    );
  }

  shown(service: string): SyncShown[] {
    return this.#synced.get(service)?.sync.shown ?? [];
  }

  /** Folders of a service's image that will be written to. */
  async folders(service: string, signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#synced.get(service)?.sync.folders(signal)) ?? [];
  }

  /** Watches, and puts in place, until the signal is aborted. */
  async keep(signal: AbortSignal): Promise<void> {
    if (this.#synced.size === 0) return;
    const { runs, watch } = this.#parts;
    const listeners = [...this.#synced].flatMap(
      ([name, { sync }]) => runs.get(name)?.onChange(() => sync.look()) ?? [],
    );
    try {
      await Promise.all([
        this.#watch(signal),
        ...[...this.#synced.values()].map(({ sync }) => sync.keep(signal)),
      ]);
    } finally {
      for (const listener of listeners) listener[Symbol.dispose]();
      watch(this.#owner, []);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { supervisors, watch, timers, log } = this.#parts;
    const folders = new Map<string, WatchedFolder>();
    for (const { folder } of this.#synced.values()) {
      while (!folders.has(folder)) {
        try {
          const which = { owner: this.#owner, folder, paths: [".dockerignore"] };
          const { content } = (await readSources(supervisors, which, signal)).get(
            ".dockerignore",
          ) ?? { content: null };
          const text = content?.kind === "bytes" ? content.bytes.toString("utf8") : null;
          folders.set(folder, { path: folder, skip: skipped(text) });
        } catch (error) {
          if (signal.aborted) return;
          log.debug({ err: error, workspace: this.#owner.id }, "nothing is watched yet");
          await timers.sleep(retryAfterMs, signal).catch(() => undefined);
          if (signal.aborted) return;
        }
      }
    }
    watch(this.#owner, [...folders.values()]);
  }
}
