import {
  TerminalServerMessage,
  type TerminalClientMessage,
} from "../../../server/protocol/supervisor.ts";

/** The part of a WebSocket that a connection uses; the browser's and the one of `ws` both fit. */
export interface Socket {
  binaryType: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close" | "error", listener: () => void): void;
}

/** From where to go on: the protocol's AttachTerminal. */
export interface Attach {
  from: number;
}

export interface Size {
  cols: number;
  rows: number;
}

/** Where a terminal's bytes go. */
export interface TerminalSink {
  /** Takes the bytes; calls `parsed` when they have been worked off and no longer take memory. */
  write(bytes: Uint8Array, parsed: () => void): void;
  /** Forgets the screen, after everything written so far: bytes are missing from here on. */
  reset(): void;
  /** The size of the terminal in the workspace, which another viewer may have set. */
  resize(size: Size): void;
}

export type ConnectionState =
  /** The first connection, or the replay of what the terminal showed before. */
  | { kind: "connecting" }
  | { kind: "open"; readOnly: boolean }
  /** Cut off; `attempt` counts the tries since. Input is refused. */
  | { kind: "reconnecting"; attempt: number }
  | { kind: "exited"; exitCode: number; signal: string | null };

export interface ConnectionOptions {
  /** Opens a socket to the terminal. */
  open: (attach: Attach) => Socket;
  sink: TerminalSink;
  onState: (state: ConnectionState) => void;
  /** Runs `callback` after `delayMs`, unless the returned function is called first. */
  after?: (delayMs: number, callback: () => void) => () => void;
}

/** The wait before the first new try: a restarted control plane is back about then. */
const firstRetryMs = 250;

/** The longest wait between tries; `retryNow` shortens it when the network comes back. */
const longestRetryMs = 5000;

/**
 * Bytes that may wait unparsed. A browser cannot pause a WebSocket, and xterm.js throws bytes away
 * above 50 MB; below that, each byte waiting is a moment of delay before `^C` shows its effect.
 */
export const highWaterBytes = 16 * 1024 * 1024;

/** The backlog at which reading goes on: small enough to have caught up, never quite idle. */
export const lowWaterBytes = 1024 * 1024;

/**
 * One terminal over WebSockets that come and go. It counts the absolute offset of every byte it has
 * handed to the sink, and each new socket asks for what follows, so a cut neither loses nor doubles
 * a byte while the supervisor still keeps it; where the supervisor does not, the sink is reset.
 *
 * When the sink falls behind by `highWaterBytes`, output is dropped (input still goes out: `^C` is
 * what one wants then) and asked for again from the same offset after the backlog is worked off.
 */
export class TerminalConnection implements Disposable {
  readonly #options: ConnectionOptions;
  readonly #after: (delayMs: number, callback: () => void) => () => void;
  #socket: Socket | null = null;
  /** While the next socket is being opened to rejoin: the one that still carries input. */
  #previous: Socket | null = null;
  /** The absolute offset after the last byte that the sink was given. */
  #offset = 0;
  #asked = 0;
  #waitingBytes = 0;
  /** Where the replay of this socket ends: a terminal must not answer the queries in it. */
  #replayEnd = 0;
  #greeted = false;
  #readOnly = false;
  #dropping = false;
  #attempt = 0;
  #cancelRetry: (() => void) | null = null;
  #size: Size | null = null;
  #state: ConnectionState = { kind: "connecting" };
  #disposed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#after = options.after ?? afterTimeout;
    this.#connect();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The absolute offset of the next byte. */
  get offset(): number {
    return this.#offset;
  }

  /** Sends what was typed or pasted. False: it was not sent, because the connection is not open. */
  send(data: Uint8Array<ArrayBuffer>): boolean {
    const socket = this.#previous ?? this.#socket;
    if (this.#state.kind !== "open" || this.#state.readOnly || socket === null) return false;
    socket.send(data);
    return true;
  }

  /** Tells the terminal its size in character cells; a later connection repeats it. */
  resize(size: Size): void {
    this.#size = size;
    if (this.#state.kind === "open") this.#sendSize();
  }

  /** Tries at once instead of waiting: the network is back, or somebody looks again. */
  retryNow(): void {
    if (this.#cancelRetry === null) return;
    this.#cancelRetry();
    this.#connect();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#leave();
  }

  #connect(): void {
    this.#cancelRetry = null;
    this.#greeted = false;
    this.#dropping = false;
    this.#asked = this.#offset;
    const socket = this.#options.open({ from: this.#offset });
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    // A socket that was left may still deliver: only the present one counts.
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket === socket) this.#receive(data);
    });
    socket.addEventListener("close", () => {
      if (this.#socket === socket || this.#previous === socket) this.#lost();
    });
    // `close` follows every error; without a listener, `ws` would throw.
    socket.addEventListener("error", () => {});
  }

  #leave(): void {
    const sockets = [this.#previous, this.#socket];
    this.#previous = null;
    this.#socket = null;
    for (const socket of sockets) socket?.close();
  }

  #lost(): void {
    this.#leave();
    if (this.#state.kind === "exited") return;
    const delayMs = Math.min(firstRetryMs * 2 ** this.#attempt, longestRetryMs);
    this.#attempt += 1;
    this.#become({ kind: "reconnecting", attempt: this.#attempt });
    this.#cancelRetry = this.#after(delayMs, () => this.#connect());
  }

  #receive(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      if (this.#greeted && !this.#dropping) this.#takeBytes(new Uint8Array(data));
      return;
    }
    const message = parseMessage(data);
    if (message === null) return;
    switch (message.type) {
      case "hello":
        this.#greet(message);
        break;
      case "resize":
        this.#options.sink.resize({ cols: message.cols, rows: message.rows });
        break;
      case "exit":
        // Rejoining brings the bytes before it, and then this again.
        if (this.#dropping) break;
        this.#become({ kind: "exited", exitCode: message.exitCode, signal: message.signal });
        break;
      default:
        message satisfies never;
    }
  }

  #greet(hello: Extract<TerminalServerMessage, { type: "hello" }>): void {
    this.#greeted = true;
    this.#attempt = 0;
    this.#previous?.close();
    this.#previous = null;
    this.#readOnly = hello.readOnly;
    if (hello.offset !== this.#asked) this.#options.sink.reset();
    this.#offset = hello.offset;
    this.#replayEnd = hello.end ?? hello.offset;
    this.#options.sink.resize({ cols: hello.cols, rows: hello.rows });
    this.#openWhenReplayed();
  }

  #takeBytes(bytes: Uint8Array): void {
    this.#offset += bytes.length;
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > highWaterBytes) this.#dropping = true;
    this.#options.sink.write(bytes, () => {
      this.#waitingBytes -= bytes.length;
      if (this.#disposed) return;
      this.#openWhenReplayed();
      if (this.#dropping && this.#waitingBytes <= lowWaterBytes) this.#rejoin();
    });
  }

  /** Asks again for what was dropped, on a new socket: the old one is past it. */
  #rejoin(): void {
    this.#cancelRetry?.();
    this.#previous = this.#socket;
    this.#connect();
  }

  #openWhenReplayed(): void {
    if (!this.#greeted || this.#offset - this.#waitingBytes < this.#replayEnd) return;
    if (this.#state.kind === "open" || this.#state.kind === "exited") return;
    this.#become({ kind: "open", readOnly: this.#readOnly });
    this.#sendSize();
  }

  #sendSize(): void {
    if (this.#size === null || this.#readOnly) return;
    const message: TerminalClientMessage = { type: "resize", ...this.#size };
    (this.#previous ?? this.#socket)?.send(JSON.stringify(message));
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

/** `null`: a kind of message that a newer supervisor sends and this client need not know. */
function parseMessage(data: unknown): TerminalServerMessage | null {
  if (typeof data !== "string") return null;
  try {
    return TerminalServerMessage.safeParse(JSON.parse(data)).data ?? null;
  } catch {
    return null;
  }
}

function afterTimeout(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}

/** The address of a terminal's socket on the control plane that served the page. */
export function terminalSocketUrl(
  location: { protocol: string; host: string },
  terminal: { workspaceId: string; terminalId: string },
  attach: Attach,
): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const workspace = encodeURIComponent(terminal.workspaceId);
  const id = encodeURIComponent(terminal.terminalId);
  const q = encodeURIComponent(JSON.stringify(attach));
  return `${scheme}//${location.host}/terminals/${workspace}/${id}?q=${q}`;
}
