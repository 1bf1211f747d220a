import type { Socket } from "node:net";
import {
  maxControlLineBytes,
  type ControlMessage,
  type TaskMessage,
  type WorkspaceAsk,
} from "../../server/protocol/control.ts";
import type { Now } from "./grants.ts";
import type { FolderWatches } from "./folder-watches.ts";
import { parseJson, readAnswer, readOrder, type Answer } from "./guards.ts";
import { randomId } from "./ids.ts";
import { LineReader } from "./lines.ts";
import { Refusal } from "./refusal.ts";
import type { Watch } from "./watch.ts";

/** The control plane wants to know that somebody works here, not how fast they type. */
const activityEveryMs = 30_000;

/** The control plane may have to ask a person's git host. */
const askTimeoutMs = 30_000;

/** A whole `git submodule update` asks with a few at a time. */
const maxPendingAsks = 32;

/** What waits for a control plane that does not read; then its stream ends. */
const maxBufferedBytes = 1024 * 1024;

/** A plan has fewer tasks; of more, the newest are told. */
const maxUntoldTasks = 200;

/** The outcome of an ask, as a program inside the workspace gets it. */
export type Reply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

export interface ControlOptions {
  readonly watch: Watch;
  readonly folders: FolderWatches;
  readonly now: Now;
  readonly askTimeoutMs?: number | undefined;
}

interface Untold {
  ports: boolean;
  activity: boolean;
  readonly tasks: TaskMessage[];
}

interface PendingAsk {
  readonly answered: (reply: Reply) => void;
  readonly timer: NodeJS.Timeout;
}

/** What goes up to the control plane on the stream that it holds, and the answers that come down. */
export class Control implements Disposable {
  readonly #watch: Watch;
  readonly #folders: FolderWatches;
  readonly #now: Now;
  readonly #askTimeoutMs: number;
  readonly #pending = new Map<string, PendingAsk>();
  #stream: Socket | null = null;
  #activityAt = -Infinity;
  /** What the stream had no room for, or nobody was there to hear: the newest state is told later. */
  #untold: Untold = { ports: false, activity: false, tasks: [] };

  constructor(options: ControlOptions) {
    this.#watch = options.watch;
    this.#folders = options.folders;
    this.#now = options.now;
    this.#askTimeoutMs = options.askTimeoutMs ?? askTimeoutMs;
  }

  /** Takes an upgraded socket for the stream; the one before ends. */
  attach(socket: Socket, head: Buffer): void {
    if (socket.destroyed) return;
    this.#leave();
    this.#stream = socket;
    const lines = new LineReader(maxControlLineBytes, (line) => this.#heard(line));
    const push = (chunk: Buffer): void => {
      if (this.#stream !== socket) return;
      try {
        lines.push(chunk);
      } catch {
        // Garbage: what it sends cannot be understood any more.
        socket.destroy();
      }
    };
    socket.on("data", push);
    socket.on("drain", () => {
      if (this.#stream === socket) this.#catchUp();
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      if (this.#stream === socket) this.#leave();
    });
    this.#watch.start(() => this.#tellPorts());
    this.#untold.ports = true;
    this.#catchUp();
    this.#folders.onFiles = () => {
      if (this.#stream?.writableNeedDrain === false) this.#tellFiles();
    };
    if (head.length > 0) push(head);
    socket.resume();
  }

  /** Somebody works here. */
  activity(): void {
    this.#watch.stir();
    const now = this.#now();
    const sinceMs = now - this.#activityAt;
    // Negative: the clock was set back.
    if (sinceMs >= 0 && sinceMs < activityEveryMs) return;
    if (this.#stream === null || this.#stream.writableNeedDrain) {
      this.#untold.activity = true;
      return;
    }
    this.#activityAt = now;
    this.#tell({ type: "activity" });
  }

  /**
   * A task can end before the first stream is there, and between two: it is told with the next. That
   * it began is no news then.
   */
  task(message: Omit<TaskMessage, "type">): void {
    const { tasks } = this.#untold;
    const name = message.name.slice(0, 200);
    const begun = tasks.findIndex((one) => one.name === name && one.state === "running");
    if (begun !== -1) tasks.splice(begun, 1);
    tasks.push({ type: "task", ...message, name });
    if (tasks.length > maxUntoldTasks) tasks.shift();
    if (this.#stream?.writableNeedDrain === false) this.#catchUp();
  }

  /**
   * Passes a question on; `answered` is called once, later or at once. The function that it gives
   * takes the question back.
   */
  ask(ask: WorkspaceAsk, answered: (reply: Reply) => void): () => void {
    const id = randomId().replaceAll("-", "");
    if (this.#stream === null) answered(notConnected);
    else if (this.#pending.size >= maxPendingAsks) answered(tooMany);
    else {
      const timer = setTimeout(() => this.#answer(id, noAnswer), this.#askTimeoutMs);
      this.#pending.set(id, { answered, timer });
      this.#tell({ type: "ask", id, ask });
    }
    return () => void this.#take(id);
  }

  [Symbol.dispose](): void {
    this.#leave();
    this.#watch[Symbol.dispose]();
    this.#folders[Symbol.dispose]();
  }

  /** @throws Refusal for a line that is no answer and no order. */
  #heard(line: string): void {
    const said = parseJson(line);
    const order = readOrder(said);
    const answer = order === null ? readAnswer(said) : null;
    if (answer !== null) this.#answer(answer.id, replyOf(answer));
    if (order === null) return;
    if (order.type === "watch") this.#folders.watch(order.folders);
    else this.#folders.taken(order.id);
    this.#tellFiles();
  }

  #tellFiles(): void {
    const message = this.#folders.next();
    if (message !== null) this.#tell(message);
  }

  #answer(id: string, reply: Reply): void {
    this.#take(id)?.answered(reply);
  }

  #take(id: string): PendingAsk | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending !== undefined) clearTimeout(pending.timer);
    return pending;
  }

  #tellPorts(): void {
    this.#untold.ports = true;
    if (this.#stream?.writableNeedDrain === false) this.#catchUp();
  }

  #catchUp(): void {
    const { ports, activity, tasks } = this.#untold;
    this.#untold = { ports: false, activity: false, tasks: [] };
    this.#tellFiles();
    if (ports) this.#tell({ type: "ports", ports: [...this.#watch.ports] });
    if (activity) this.activity();
    for (const task of tasks) this.#tell(task);
  }

  #tell(message: ControlMessage): void {
    const stream = this.#stream;
    if (stream === null || !stream.writable) return;
    stream.write(`${JSON.stringify(message)}\n`);
    if (stream.writableLength > maxBufferedBytes) stream.destroy();
  }

  /** There is no stream from now on. */
  #leave(): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    this.#watch.stop();
    this.#folders.untold();
    if (stream.writableNeedDrain) stream.destroy();
    else stream.destroySoon();
    for (const id of this.#pending.keys()) this.#answer(id, notConnected);
  }
}

function replyOf(answer: Answer): Reply {
  return answer.ok
    ? { ok: true, result: answer.result }
    : { ok: false, error: { code: answer.error.code, message: answer.error.message } };
}

function failed(code: Refusal["code"], message: string): Reply {
  return { ok: false, error: { code, message } };
}

const notConnected = failed(
  "supervisor-unreachable",
  "Oneloop's control plane is not connected just now. Try again in a moment.",
);
const noAnswer = failed(
  "deadline-exceeded",
  "Oneloop's control plane did not answer. Try again in a moment.",
);
const tooMany = failed(
  "conflict",
  `Oneloop's control plane has ${maxPendingAsks} questions to answer already. Try again in a moment.`,
);
