import type { Socket } from "node:net";
import { join, resolve } from "node:path";
import type { ListenMessage, ListenRequest } from "../../server/protocol/supervisor.ts";
import { randomId } from "./ids.ts";
import { listenAtPath, listenAtPort, type Bound, type OwnSockets } from "./listen-at.ts";
import { Refusal } from "./refusal.ts";

/** The control plane takes a connection within milliseconds; this one it does not want. */
const acceptTimeoutMs = 10_000;

/**
 * Connections that wait, of one place: a runaway program must not use up our descriptors, and a
 * browser behind a forwarded port opens some dozens at once.
 */
const maxWaiting = 256;

export interface ListenersOptions {
  /** A folder that only this user can enter; null: there is no place for sockets. */
  readonly runFolder: string | null;
  /** Where a path begins that does not begin at the root. */
  readonly home: string;
  readonly acceptTimeoutMs?: number | undefined;
}

/** A place that is listened at but that nobody knows yet. */
export interface Listener {
  /** Tells a stream the place and then each connection; when the stream ends, the place goes. */
  tell(stream: Socket): void;
}

interface Waiting {
  readonly connection: Socket;
  readonly taken: () => void;
}

/**
 * Places at which programs inside reach something outside. The supervisor never dials out: each
 * connection waits until the control plane comes for it.
 */
export class Listeners implements Disposable {
  readonly #options: ListenersOptions;
  readonly #own: OwnSockets = new Set();
  readonly #waiting = new Map<string, Waiting>();
  readonly #streams = new Set<Socket>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** @throws Refusal 503 when it cannot listen. */
  async listen(request: ListenRequest): Promise<Listener> {
    const waiting = new Set<string>();
    let stream: Socket | null = null;
    const serve = (connection: Socket): void => {
      connection.on("error", () => connection.destroy());
      if (stream?.writable !== true || stream.writableNeedDrain || waiting.size >= maxWaiting) {
        connection.destroy();
        return;
      }
      const id = randomId();
      waiting.add(id);
      this.#keep(id, connection, () => waiting.delete(id));
      tell(stream, { type: "connection", id });
    };
    const { place, close } = await this.#bind(request, serve);
    return {
      tell: (to) => {
        const end = (): void => {
          this.#streams.delete(to);
          close();
          for (const id of waiting) this.#take(id)?.destroy();
        };
        if (to.destroyed) {
          end();
          return;
        }
        stream = to;
        this.#streams.add(to);
        to.on("close", end);
        to.on("end", () => to.destroy());
        // Nothing is expected from the other end but its end.
        to.resume();
        tell(to, place);
      },
    };
  }

  /**
   * Gives a connection that waits, paused.
   *
   * @throws Refusal 404 for one that does not.
   */
  take(id: string): Socket {
    const connection = this.#take(id);
    if (connection !== null) return connection;
    throw new Refusal(404, "not-found", "No such connection waits.");
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream.destroy();
  }

  async #bind(
    request: ListenRequest,
    serve: (connection: Socket) => void,
  ): Promise<Bound<ListenMessage>> {
    try {
      if (request.kind === "tcp") {
        const { place: port, close } = await listenAtPort(request.port, serve);
        return { place: { type: "listening-tcp", port }, close };
      }
      const wanted = request.kind === "path" ? resolve(this.#options.home, request.path) : null;
      const own = this.#own;
      const { place: path, close } = await listenAtPath(wanted ?? this.#newPath(), { serve, own });
      return { place: { type: "listening", path }, close };
    } catch (error) {
      throw cannotListen(String(error));
    }
  }

  #newPath(): string {
    const { runFolder } = this.#options;
    if (runFolder === null) throw new Error("there is no folder for it");
    return join(runFolder, `${randomId()}.sock`);
  }

  #keep(id: string, connection: Socket, taken: () => void): void {
    const leave = (): void => void this.#take(id)?.destroy();
    const timer = setTimeout(leave, this.#options.acceptTimeoutMs ?? acceptTimeoutMs);
    connection.on("close", leave);
    this.#waiting.set(id, {
      connection,
      taken: () => {
        clearTimeout(timer);
        connection.off("close", leave);
        taken();
      },
    });
  }

  #take(id: string): Socket | null {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return null;
    this.#waiting.delete(id);
    waiting.taken();
    return waiting.connection;
  }
}

function tell(stream: Socket, message: ListenMessage): void {
  stream.write(`${JSON.stringify(message)}\n`);
}

function cannotListen(why: string): Refusal {
  return new Refusal(503, "conflict", `The supervisor cannot listen: ${why}.`);
}
