import { availableParallelism } from "node:os";
import type { WorkspaceRow } from "../../db/workspaces.ts";
import type { FilesMessage } from "../../protocol/control.ts";
import { OneloopError } from "../../protocol/errors.ts";
import { stepDeadlines } from "../reconciler-deadlines.ts";
import { Gate } from "./gate.ts";
import { mirroredServices } from "./mirrored.ts";
import type { SyncShown } from "./service-sync.ts";
import { systemTimers } from "./timers.ts";
import { WorkspaceMirror, type MirrorGates, type MirrorParts } from "./workspace-mirror.ts";

/** With two at a time, two processors were idle for a fifth of the time, as a start waits for disks. */
const startsAtOnce = 4;
/** The start of one is a processor's work, with some waiting. */
const sandboxesAtOnce = 2 * availableParallelism();
/** A pull waits for the network, a build for a core. */
const imagesAtOnce = 3;
/** A probe is a connection, or a process in a container. */
const probesAtOnce = 16;

/**
 * Production's services of all workspaces that run here: each is begun when its workspace runs, goes
 * on with what a control plane before this one has started, and ends before its workspace does.
 */
export class Mirrors implements AsyncDisposable {
  readonly #parts: MirrorParts;
  readonly #gates: MirrorGates = {
    images: new Gate(imagesAtOnce),
    sandboxes: new Gate(sandboxesAtOnce),
    starts: new Gate(startsAtOnce),
    probes: new Gate(probesAtOnce),
  };
  readonly #mirrors = new Map<string, WorkspaceMirror>();
  #isEnded = false;

  constructor(parts: Omit<MirrorParts, "deadlines" | "timers"> & Partial<MirrorParts>) {
    this.#parts = { deadlines: stepDeadlines, timers: systemTimers, ...parts };
  }

  /** The workspace is brought up, and its network is there. */
  networkReady(row: WorkspaceRow): void {
    if (!this.#isMeant(row)) return;
    // What was begun for a start that failed knows the plan of that time.
    const before = this.#mirrors.get(row.id);
    if (before?.isRunning !== true) this.#make(row).networkReady(before?.end());
  }

  /** The workspace runs; called again whenever that was seen, or its engine was away. */
  running(row: WorkspaceRow): void {
    if (this.#isMeant(row)) (this.#mirrors.get(row.id) ?? this.#make(row)).running();
  }

  /** It runs no more, or will not in a moment: nothing of it is started again. */
  async ended(id: string): Promise<void> {
    await this.#mirrors.get(id)?.end();
    this.#mirrors.delete(id);
    await this.#parts.services.clear(id);
  }

  /** The engine said something of a service. */
  changed(id: string, service: string): void {
    this.#mirrors.get(id)?.look(service);
  }

  /** Files of a workspace were saved: a stranger's word, in its agreed form. */
  filesChanged(id: string, files: FilesMessage): void {
    this.#mirrors.get(id)?.filesChanged(files);
  }

  /** How a service's image comes to changed files, as far as that is known now. */
  synced(row: WorkspaceRow, service: string): SyncShown[] {
    return this.#mirrors.get(row.id)?.synced(service) ?? [];
  }

  /** @throws OneloopError `not-found`, `bad-input`, `workspace-not-running` */
  restart(row: WorkspaceRow, service: string): void {
    this.#find(row, service).restart(service);
  }

  /** @throws OneloopError as `restart`, and `bad-input` where the service is not built */
  rebuild(row: WorkspaceRow, service: string): void {
    const mirror = this.#find(row, service);
    const image = row.plan.services.find(({ name }) => name === service)?.image;
    if (!(row.plan.builds ?? []).some((build) => build.image === image)) {
      throw new OneloopError(
        "bad-input",
        `${service} runs the image ${image ?? ""} as it is: nothing in the repository builds it. \`loop restart ${row.name} ${service}\` starts it again.`,
      );
    }
    mirror.rebuild(service);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await Promise.all([...this.#mirrors.values()].map((mirror) => mirror.end()));
  }

  #isMeant(row: WorkspaceRow): boolean {
    return !this.#isEnded && mirroredServices(row.plan).length > 0;
  }

  #make(row: WorkspaceRow): WorkspaceMirror {
    const mirror = new WorkspaceMirror(row, this.#parts, this.#gates);
    this.#mirrors.set(row.id, mirror);
    return mirror;
  }

  #find(row: WorkspaceRow, service: string): WorkspaceMirror {
    const { plan, name, state } = row;
    const mirrored = mirroredServices(plan).map((one) => one.name);
    if (!plan.services.some((one) => one.name === service)) {
      throw new OneloopError("not-found", `${name} has no service ${service}.`);
    }
    if (!mirrored.includes(service)) {
      throw new OneloopError(
        "bad-input",
        `${service} mirrors no service of production: it starts and stops with its workspace.`,
      );
    }
    const mirror = this.#mirrors.get(row.id);
    if (state === "running" && mirror?.isRunning === true) return mirror;
    throw new OneloopError(
      "workspace-not-running",
      `${name} is ${state === "running" ? "not run by this control plane yet" : state}. Start it with \`loop start ${name}\`.`,
    );
  }
}
