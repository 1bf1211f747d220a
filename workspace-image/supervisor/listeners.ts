import { chmodSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { ListenMessage } from "../../server/protocol/supervisor.ts";
import { randomId } from "./ids.ts";
import { Refusal } from "./refusal.ts";

/** The control plane takes a connection within milliseconds; this one it does not want. */
const acceptTimeoutMs = 10_000;

/** Connections that wait, of one socket: a runaway program must not use up our descriptors. */
const maxWaiting = 64;

export interface ListenersOptions {
  /** A folder that only this user can enter; null: there is no place for sockets. */
  readonly runFolder: string | null;
  readonly acceptTimeoutMs?: number | undefined;
}

/** A socket that listens but whose path nobody knows yet. */
export interface Listener {
  /** Tells a stream the path and then each connection; when the stream ends, the socket goes. */
  tell(stream: Socket): void;
}

interface Waiting {
  readonly connection: Socket;
  readonly taken: () => void;
}

/**
 * Sockets at which programs inside reach something outside. The supervisor never dials out: each
 * connection waits until the control plane comes for it.
 */
export class Listeners implements Disposable {
  readonly #runFolder: string | null;
  readonly #acceptTimeoutMs: number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #streams = new Set<Socket>();

  constructor(options: ListenersOptions) {
    this.#runFolder = options.runFolder;
    this.#acceptTimeoutMs = options.acceptTimeoutMs ?? acceptTimeoutMs;
  }

  /** @throws Refusal 503 when it cannot listen. */
  async listen(): Promise<Listener> {
    if (this.#runFolder === null) throw cannotListen("there is no folder for it");
    const path = join(this.#runFolder, `${randomId()}.sock`);
    const waiting = new Set<string>();
    let stream: Socket | null = null;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (connection) => {
      connection.on("error", () => connection.destroy());
      if (stream?.writable !== true || stream.writableNeedDrain || waiting.size >= maxWaiting) {
        connection.destroy();
        return;
      }
      const id = randomId();
      waiting.add(id);
      this.#keep(id, connection, () => waiting.delete(id));
      tell(stream, { type: "connection", id });
    });
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, resolve);
      });
      chmodSync(path, 0o600);
    } catch (error) {
      server.close();
      throw cannotListen(String(error));
    }
    return {
      tell: (to) => {
        const end = (): void => {
          this.#streams.delete(to);
          // This removes the file too.
          server.close();
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
        tell(to, { type: "listening", path });
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

  #keep(id: string, connection: Socket, taken: () => void): void {
    const leave = (): void => void this.#take(id)?.destroy();
    const timer = setTimeout(leave, this.#acceptTimeoutMs);
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
