import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Owner } from "../engine/steps.ts";
import {
  ControlMessage,
  maxControlLineBytes,
  type ControlAnswer,
  type ControlOrder,
  type DetectedPort,
  type FilesMessage,
  type TaskMessage,
  type WatchedFolder,
  type WorkspaceAsk,
} from "../protocol/control.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import { controlPlaneActor, supervisorPaths } from "../protocol/supervisor.ts";
import type { Log } from "../util/log.ts";
import { lines } from "./lines.ts";
import type { Supervisors } from "./supervisors.ts";

/** What a workspace says of itself. It is a stranger's word: checked for form, believed for nothing else. */
export interface ControlListener {
  onPorts(owner: Owner, ports: readonly DetectedPort[]): Promise<void>;
  onActivity(owner: Owner): Promise<void>;
  onTask(owner: Owner, task: Omit<TaskMessage, "type">): Promise<void>;
  /** Something changed in a folder that `watch` named. When it resolves, more may come. */
  onFiles(owner: Owner, files: FilesMessage): Promise<void>;
  /** @throws OneloopError, whose sentence the asking program is shown. */
  onAsk(owner: Owner, ask: WorkspaceAsk): Promise<unknown>;
}

export interface ControlStreamsOptions {
  readonly supervisors: Pick<Supervisors, "upgrade">;
  readonly listener: ControlListener;
  readonly log: Log;
}

/** Between attempts; a workspace that restarts its supervisor is back within a second. */
const reconnectMs = { first: 250, most: 10_000 };
/** Asks of one workspace that are worked on at a time; more are refused at once. */
const maxRunningAsks = 16;
/** More messages at once than any workspace has to say; beyond them, so many in a second. */
const burstMessages = 200;
const messagesPerSecond = 20;
/** Answers that a workspace asks for and does not read. */
const maxUnreadBytes = 1024 * 1024;

/** Holds the control stream of every workspace that runs; a stream that breaks is opened again. */
export class ControlStreams implements AsyncDisposable {
  readonly #options: ControlStreamsOptions;
  readonly #held = new Map<string, { stop: AbortController; ended: Promise<void> }>();
  /** What each workspace is to watch, by its owner. */
  readonly #watched = new Map<string, readonly WatchedFolder[]>();
  /** The open stream of each. */
  readonly #open = new Map<string, Socket>();

  constructor(options: ControlStreamsOptions) {
    this.#options = options;
  }

  /** From now on, until `release`. A second call does nothing. */
  hold(owner: Owner): void {
    if (this.#held.has(owner.id)) return;
    const stop = new AbortController();
    this.#held.set(owner.id, { stop, ended: this.#keep(owner, stop.signal) });
  }

  release(owner: Owner): void {
    this.#held.get(owner.id)?.stop.abort();
    this.#held.delete(owner.id);
  }

  /** Has these folders of a workspace watched, also on each stream after this one; none: no more. */
  watch(owner: Owner, folders: readonly WatchedFolder[]): void {
    if (folders.length === 0) this.#watched.delete(owner.id);
    else this.#watched.set(owner.id, folders);
    const socket = this.#open.get(owner.id);
    if (socket !== undefined) order(socket, { type: "watch", folders: [...folders] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const { stop } of held) stop.abort();
    await Promise.all(held.map(({ ended }) => ended));
  }

  async #keep(owner: Owner, signal: AbortSignal): Promise<void> {
    const { supervisors, log } = this.#options;
    const target = { owner, actor: controlPlaneActor };
    let waitMs = reconnectMs.first;
    while (!signal.aborted) {
      try {
        const stream = { action: "control", path: supervisorPaths.control } as const;
        const { socket, rest } = await supervisors.upgrade(target, stream);
        waitMs = reconnectMs.first;
        await this.#read(owner, { socket, rest, signal });
      } catch (error) {
        if (signal.aborted) return;
        // A supervisor of the version before has no such stream; the next one, another start's, may.
        if (error instanceof OneloopError && error.code === "not-found") {
          if (this.#held.get(owner.id)?.stop.signal === signal) this.#held.delete(owner.id);
          return;
        }
        log.debug({ err: error, workspace: owner.id }, "no control stream");
      }
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, reconnectMs.most);
    }
  }

  /** Resolves when the stream has ended, whoever ended it. */
  async #read(
    owner: Owner,
    { socket, rest, signal }: { socket: Socket; rest: Buffer; signal: AbortSignal },
  ): Promise<void> {
    const end = (): void => void socket.destroy();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    if (rest.length > 0) socket.unshift(rest);
    const asks = { running: 0 };
    const waiting = new Set<Promise<void>>();
    const pace = new Pace();
    this.#open.set(owner.id, socket);
    const folders = this.#watched.get(owner.id);
    if (folders !== undefined) order(socket, { type: "watch", folders: [...folders] });
    try {
      for await (const line of lines(socket, maxControlLineBytes)) {
        await pace.next(signal);
        const message = ControlMessage.parse(JSON.parse(line));
        const work = this.#take(owner, message, { socket, asks }).catch((error: unknown) => {
          this.#options.log.warn({ err: error, workspace: owner.id }, "a message was not handled");
        });
        if (message.type === "ask") {
          waiting.add(work);
          void work.then(() => waiting.delete(work));
        } else {
          // One after the other: the newest word is the one that stays.
          await work;
        }
      }
    } finally {
      signal.removeEventListener("abort", end);
      socket.destroy();
      if (this.#open.get(owner.id) === socket) this.#open.delete(owner.id);
      await Promise.all(waiting);
    }
  }

  async #take(
    owner: Owner,
    message: ControlMessage,
    stream: { readonly socket: Socket; readonly asks: { running: number } },
  ): Promise<void> {
    const { listener } = this.#options;
    switch (message.type) {
      case "ports":
        return listener.onPorts(owner, message.ports);
      case "activity":
        return listener.onActivity(owner);
      case "task":
        return listener.onTask(owner, message);
      case "files":
        await listener.onFiles(owner, message);
        return order(stream.socket, { type: "taken", id: message.id });
      case "ask":
        return this.#answer(owner, message, stream);
      default:
        return message satisfies never;
    }
  }

  async #answer(
    owner: Owner,
    { id, ask }: Extract<ControlMessage, { type: "ask" }>,
    { socket, asks }: { readonly socket: Socket; readonly asks: { running: number } },
  ): Promise<void> {
    let answer: ControlAnswer;
    asks.running += 1;
    try {
      if (asks.running > maxRunningAsks) {
        throw new OneloopError("conflict", "Too many questions at a time. Try again.");
      }
      const result = await this.#options.listener.onAsk(owner, ask);
      answer = { type: "answer", id, ok: true, result };
    } catch (error) {
      const failure = toOneloopError(error);
      if (failure.code === "internal") {
        this.#options.log.error({ err: error, workspace: owner.id }, "a question failed");
      }
      answer = { type: "answer", id, ok: false, error: failure.toWire() };
    } finally {
      asks.running -= 1;
    }
    if (socket.writableLength > maxUnreadBytes) socket.destroy();
    if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
  }
}

function order(socket: Socket, what: ControlOrder): void {
  if (socket.writable) socket.write(`${JSON.stringify(what)}\n`);
}

/** Lets a burst through, then so many in a second: what a workspace says is work for everybody. */
class Pace {
  #left = burstMessages;
  #since = performance.now();

  async next(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const earned = ((now - this.#since) * messagesPerSecond) / 1000;
    this.#left = Math.min(burstMessages, this.#left + earned) - 1;
    this.#since = now;
    if (this.#left >= 0) return;
    const waitMs = (-this.#left * 1000) / messagesPerSecond;
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
