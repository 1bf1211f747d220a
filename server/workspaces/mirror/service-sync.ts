import { basename } from "node:path/posix";
import type { Engine } from "../../engine/engine.ts";
import type { ImageFacts } from "../../engine/images.ts";
import type { ChangedFile, FileChanges } from "../../engine/services.ts";
import type { Owner } from "../../engine/steps.ts";
import { argumentVector } from "../../engine/member-spec.ts";
import { reloadOf } from "../../plan/mirror/reloads.ts";
import { Sync } from "../../plan/mirror/sync.ts";
import type { FilesMessage } from "../../protocol/control.ts";
import { toOneloopError } from "../../protocol/errors.ts";
import type { PlannedBuild } from "../../protocol/plan.ts";
import type { CopiedTo } from "../../sources/dockerfile/copies.ts";
import type { Log } from "../../util/log.ts";
import { Poke } from "../../util/poke.ts";
import type { RunStep } from "../reconciler-turn.ts";
import type { Mirrored } from "./mirrored.ts";
import type { SourceFile } from "./read-sources.ts";
import type { Note } from "./notes.ts";
import { Renewal } from "./renewal.ts";
import type { ServiceRun } from "./service-run.ts";
import type { Statuses } from "./statuses.ts";
import type { Timers } from "./timers.ts";
import { listed } from "./words.ts";

/** Before a build, which takes seconds: who saves one file often saves the next. */
const settleMs = 300;
/** After an engine or a workspace that did not answer. */
const retryAfterMs = 2000;
/** Files that a sentence names. */
const namedFiles = 3;

/** States in which its container is there, and nobody makes another one just now. */
const settled: ReadonlySet<string> = new Set(["running", "backing-off", "failed", "completed"]);

/** After these the same may work in a moment. */
const passing: ReadonlySet<string> = new Set([
  ...["engine-unreachable", "deadline-exceeded", "supervisor-unreachable"],
  ...["workspace-not-running", "database-unavailable"],
]);

/** One line of how a service comes to a saved file. */
export interface SyncShown {
  readonly what: string;
  readonly how: string;
  readonly where: string;
}

export interface SyncParts {
  readonly owner: Owner;
  readonly service: Mirrored;
  readonly build: PlannedBuild;
  readonly engine: Pick<Engine, "changeFiles" | "renewService" | "ensureImage">;
  readonly run: ServiceRun;
  readonly statuses: Statuses;
  readonly timers: Timers;
  readonly step: RunStep;
  /** What the engine calls its image now; null: it is not built yet. */
  readonly ref: () => string | null;
  /** Files of the build's context in the workspace. */
  readonly read: (
    paths: readonly string[],
    signal: AbortSignal,
  ) => Promise<Map<string, SourceFile>>;
  /** Builds its image anew, and starts it again where that is another; says itself where that fails. */
  readonly rebuild: (why: string) => Promise<void>;
  readonly note: Note;
  readonly log: Log;
}

interface Known {
  readonly ref: string;
  readonly facts: ImageFacts;
  readonly sync: Sync;
}

interface Copied {
  readonly path: string;
  readonly isGone: boolean;
  readonly to: readonly CopiedTo[];
  /** Null: where its program does not look by itself. */
  readonly restarts: boolean | null;
}

/**
 * Brings what is saved in the workspace into one running service that is built from it: what its
 * Dockerfile copies as it is goes into the container, and its program is started again where it does
 * not look by itself; for all else its image is built anew. One after the other.
 */
export class ServiceSync {
  readonly #parts: SyncParts;
  /** Paths below the context; true: gone. What was a folder ends with a slash. */
  #pending = new Map<string, boolean>();
  #lost = false;
  readonly #poke = new Poke();
  #known: Known | null = null;
  readonly #renewal: Renewal;

  constructor(parts: SyncParts) {
    this.#parts = parts;
    this.#renewal = new Renewal(parts);
  }

  changed({ changed, removed, lost }: FilesMessage): void {
    for (const path of removed) this.#pending.set(path, true);
    for (const path of changed) this.#pending.set(path, false);
    this.#lost ||= lost;
    this.#poke.poke();
  }

  /** How far it is has changed. */
  look(): void {
    if (this.#pending.size > 0 || this.#lost) this.#poke.poke();
  }

  get shown(): SyncShown[] {
    return (this.#known?.sync.shown ?? []).map(({ from, to, where, restarts }) => ({
      what: from,
      how: this.#how(to, restarts),
      where,
    }));
  }

  /** Folders of its image that will be written to. */
  async folders(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#know(signal))?.sync.folders ?? [];
  }

  /** Until the signal is aborted. */
  async keep(signal: AbortSignal): Promise<void> {
    const { timers, log, service } = this.#parts;
    while (await this.#poke.wait(signal)) {
      const [pending, lost] = [this.#pending, this.#lost];
      try {
        await this.#work(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error, service: service.name }, "saved files were not put in place");
        // What came meanwhile is newer.
        this.#pending = new Map([...pending, ...this.#pending]);
        this.#lost ||= lost;
        await timers.sleep(retryAfterMs, signal).catch(() => undefined);
        this.#poke.poke();
      }
    }
  }

  #take(): { paths: Map<string, boolean>; lost: boolean } {
    const taken = { paths: this.#pending, lost: this.#lost };
    this.#pending = new Map();
    this.#lost = false;
    return taken;
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { statuses, service } = this.#parts;
    const state = statuses.get(service.name)?.state ?? "waiting";
    // Poked again when it is so far.
    if (!settled.has(state) || (this.#pending.size === 0 && !this.#lost)) return;
    const { paths, lost } = this.#take();
    const known = await this.#know(signal);
    if (lost) return this.#rebuild([], "So many files changed that nobody kept which", signal);
    if (known === null) {
      return this.#rebuild([...paths.keys()], "there is no image of it yet", signal);
    }
    const copied: Copied[] = [];
    let isRestart = false;
    for (const [path, isGone] of paths) {
      const plain = path.replace(/\/$/, "");
      const action = known.sync.actionFor(plain, plain !== path);
      if (action.do === "rebuild") return this.#rebuild([plain], action.why, signal);
      if (action.do === "restart") isRestart = true;
      if (action.do !== "copy") continue;
      const { to, restarts } = action;
      copied.push({ path: plain, isGone, to, restarts });
    }
    if (copied.length === 0) {
      const why = `${namesOf([...paths.keys()])} changed: its command was started again.`;
      if (isRestart) this.#parts.run.renew({ why, prepare: null, onlyIfChanged: false });
      return;
    }
    try {
      await this.#copy(known, { copied, isRestart }, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = toOneloopError(error);
      const isGone = code === "workspace-not-running" && copied.some((one) => one.isGone);
      if (passing.has(code) && !isGone) throw error;
      const names = copied.map(({ path }) => path);
      await this.#rebuild(names, `it could not be put in place (${message})`, signal);
    }
  }

  async #copy(
    known: Known,
    { copied, isRestart }: { copied: readonly Copied[]; isRestart: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { read, service, statuses, engine, owner, step, run } = this.#parts;
    const wanted = copied.filter(({ isGone }) => !isGone);
    const sources = await read(
      wanted.map(({ path }) => path),
      signal,
    );
    const files: ChangedFile[] = [];
    for (const { path, to } of wanted) {
      const source = sources.get(path);
      // Gone again: that is told next.
      if (source === undefined) continue;
      for (const { path: place, root, chown } of to) {
        files.push({
          ...source,
          path: place,
          root,
          ...(await this.#ownerOf(chown, known, signal)),
        });
      }
    }
    const removed = copied.flatMap(({ isGone, to }) => (isGone ? to.map(({ path }) => path) : []));
    if (files.length + removed.length === 0) return;
    const which = { owner, service: service.name };
    const change = (changes: FileChanges): Promise<void> =>
      step("start", signal, (options) => engine.changeFiles(which, changes, options));
    const names = namesOf(copied.map(({ path }) => path));
    const isRunning = statuses.get(service.name)?.state === "running";
    const asNeeded = copied.filter((one) => one.restarts === null).flatMap(({ to }) => to);
    const mustRestart = isRestart || copied.some((one) => one.restarts === true);
    const needed = asNeeded.map(({ path }) => path);
    const itself = mustRestart ? null : this.#reload(known, needed);
    if (isRunning && itself !== null) {
      await change({ files, removed });
      if (statuses.get(service.name)?.health !== "unready") {
        statuses.set(service.name, { reason: `${names} put in place; ${itself} takes it up.` });
      }
      return;
    }
    let onAbort: () => void = () => undefined;
    const started = new Promise<void>((resolve, reject) => {
      const prepare = async (): Promise<boolean> => {
        try {
          // What runs can be asked to remove; what has ended cannot.
          if (removed.length > 0) await change({ files: [], removed });
          const isUp = await this.#renewal.begin(files, signal);
          resolve();
          return isUp;
        } catch (error) {
          reject(error);
          return false;
        }
      };
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
      const why = `${names} changed: its command was started again.`;
      run.renew({ why, prepare, onlyIfChanged: false });
    });
    try {
      await started;
    } finally {
      // The signal is the workspace's, and a save is one of many.
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** The program that takes all of these up by itself; null: it has to be started again. */
  #reload({ facts }: Known, paths: readonly string[]): string | null {
    const { service } = this.#parts;
    const argv = argumentVector(service, facts);
    const env = { ...facts.env, ...service.env };
    let by = "its program";
    for (const path of paths) {
      const reload = reloadOf(argv, env, path);
      if (reload.kind === "restart") return null;
      by = reload.by;
    }
    return by;
  }

  #how(to: string | null, restarts: boolean | null): string {
    const again = "its command is started again";
    if (to === null) return restarts === true ? again : "its image is built anew";
    const by = this.#known === null ? null : this.#reload(this.#known, [to]);
    const itself = by === null ? again : `${by} takes it up`;
    const then = restarts === null ? itself : restarts ? again : "nothing is started again";
    return `put into ${to}; ${then}`;
  }

  async #ownerOf(
    chown: string | null,
    { ref }: Known,
    signal: AbortSignal,
  ): Promise<{ uid: number; gid: number }> {
    if (chown === null) return { uid: 0, gid: 0 };
    const { engine, step } = this.#parts;
    const { user } = await step("image", signal, (options) =>
      engine.ensureImage(ref, { ...options, user: chown }),
    );
    // Without a group COPY takes the user's number for it, too.
    return { uid: user.uid, gid: chown.includes(":") ? user.gid : user.uid };
  }

  async #rebuild(paths: readonly string[], why: string, signal: AbortSignal): Promise<void> {
    const { timers, rebuild, note, service } = this.#parts;
    await timers.sleep(settleMs, signal);
    const { paths: more } = this.#take();
    const all = [...paths, ...[...more.keys()].map((path) => path.replace(/\/$/, ""))];
    const names = all.length === 0 ? "" : `${namesOf(all)} changed, and `;
    note(
      "info",
      "service-rebuilt",
      `${service.name}: ${names}${why}: its image is built anew from the workspace's files.`,
    );
    this.#known = null;
    const what = all.length === 0 ? "Many files" : namesOf(all);
    await rebuild(`${what} changed: its image was built anew.`);
  }

  /** What is known of its image as it is now; null: there is none. */
  async #know(signal: AbortSignal): Promise<Known | null> {
    const { ref: refOf, engine, step, read, build, service } = this.#parts;
    const ref = refOf();
    if (ref === null) return null;
    if (this.#known?.ref === ref) return this.#known;
    const { dockerfile } = build;
    const own = `${dockerfile}.dockerignore`;
    const [facts, files] = await Promise.all([
      step("image", signal, (options) => engine.ensureImage(ref, options)),
      read([dockerfile, own, ".dockerignore"], signal),
    ]);
    const text = (path: string): string | null => {
      const content = files.get(path)?.content;
      return content?.kind === "bytes" ? content.bytes.toString("utf8") : null;
    };
    const ignore = text(own) ?? text(".dockerignore");
    const given = service.mirror.sync ?? [];
    const sync = new Sync({ build, given, dockerfile: text(dockerfile), ignore, image: facts });
    this.#renewal.forget();
    this.#known = { ref, facts, sync };
    return this.#known;
  }
}

function namesOf(paths: readonly string[]): string {
  const names = [...new Set(paths.map((path) => basename(path)))];
  const more = names.length - namedFiles;
  return listed(more > 1 ? [...names.slice(0, namedFiles), `${more} more`] : names);
}
