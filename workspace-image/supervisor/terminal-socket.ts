import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket, WebSocketServer } from "ws";
import type { TerminalServerMessage } from "../../server/protocol/supervisor.ts";
import { parseJson, readClientMessage } from "./guards.ts";
import { exitCodeOf } from "./processes.ts";
import type { PtyEnd } from "./pty.ts";
import type { Follower, Sink, Terminal } from "./terminals.ts";

/** A large paste comes in pieces; nothing else is large. */
const maxMessageBytes = 1024 * 1024;

const closedNormally = 1000;
const brokenRules = 1008;

let sockets: Promise<WebSocketServer> | null = null;

/** `ws` is loaded when it is needed first, so that it costs no start. */
export function loadWebSockets(): Promise<WebSocketServer> {
  sockets ??= import("ws").then(
    ({ WebSocketServer }) =>
      new WebSocketServer({
        noServer: true,
        clientTracking: false,
        perMessageDeflate: false,
        maxPayload: maxMessageBytes,
      }),
  );
  return sockets;
}

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}

/** Joins a WebSocket to a terminal: binary messages are its bytes, text messages are JSON. */
export async function serveTerminalSocket(
  terminal: Terminal,
  upgrade: Upgrade,
  {
    from,
    readOnly,
    onActivity,
  }: {
    from: number;
    readOnly: boolean;
    /** Somebody typed. */
    onActivity: () => void;
  },
): Promise<void> {
  const { request, socket, head } = upgrade;
  const server = await loadWebSockets();
  if (socket.destroyed) return;
  server.handleUpgrade(request, socket, head, (client) => {
    // "close" follows; without a listener an error would be uncaught.
    client.on("error", () => undefined);
    const sink = new SocketSink(client, socket);
    const follower = terminal.follow(sink, from, (offset, end) => {
      sink.hello = (at) => ({ type: "hello", offset: at, end, readOnly, ...sizeOf(terminal) });
      sink.skipped(offset);
    });
    listen({ client, socket, terminal, follower, readOnly, onActivity });
  });
}

function listen(parts: {
  client: WebSocket;
  socket: Socket;
  terminal: Terminal;
  follower: Follower;
  readOnly: boolean;
  onActivity: () => void;
}): void {
  const { client, socket, terminal, follower, readOnly, onActivity } = parts;
  const drained = (): void => follower.drained();
  socket.on("drain", drained);
  client.on("close", () => {
    socket.off("drain", drained);
    follower[Symbol.dispose]();
  });
  client.on("message", (data, isBinary) => {
    if (readOnly) return;
    const bytes = data as Buffer;
    if (isBinary) {
      onActivity();
      if (!terminal.write(bytes, () => client.resume())) client.pause();
      return;
    }
    try {
      const { cols, rows } = readClientMessage(parseJson(bytes.toString("utf8")));
      terminal.resize(cols, rows);
    } catch {
      client.close(brokenRules, "unknown message");
    }
  });
}

function sizeOf(terminal: Terminal): { cols: number; rows: number } {
  const { cols, rows } = terminal.info();
  return { cols, rows };
}

class SocketSink implements Sink {
  readonly #client: WebSocket;
  readonly #socket: Socket;
  hello: ((offset: number) => TerminalServerMessage) | null = null;

  constructor(client: WebSocket, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain || !this.#socket.writable;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  say(message: TerminalServerMessage): void {
    this.#client.send(JSON.stringify(message));
  }

  output(chunk: Buffer): void {
    this.#client.send(chunk, { binary: true });
  }

  skipped(offset: number): void {
    if (this.hello !== null) this.say(this.hello(offset));
  }

  resized(cols: number, rows: number): void {
    this.say({ type: "resize", cols, rows });
  }

  ended({ code, signal }: PtyEnd): void {
    this.say({ type: "exit", exitCode: exitCodeOf(code, signal), signal });
    this.#client.close(closedNormally);
  }
}
