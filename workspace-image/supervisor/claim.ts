import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Each time the one before has just ended, or was killed; a third was never seen. */
const maxAttempts = 5;

/** The first one starts in a fraction of this; one that says nothing so long is stuck. */
const answerTimeoutMs = 10_000;

/** A ready line is far shorter. */
const maxLineLength = 4096;

/**
 * What makes one supervisor the only one that entered a container: a unix socket in a folder that no
 * other container sees and no other user enters. Whoever comes later hears there of the first.
 */
export class Claim implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #line: string | null = null;
  #onAsked: () => void = () => undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
      socket.resume();
      this.#answer(socket);
    });
  }

  /**
   * @returns the claim, or, where another one has it, that one's line.
   * @throws Error when it can neither listen there nor hear of who does.
   */
  static async at(path: string): Promise<Claim | string> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return new Claim(await listenAt(path));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "EADDRINUSE" || attempt === maxAttempts) throw error;
      }
      const line = await askAt(path);
      if (line !== null) return line;
      // Of one that was killed. Two that find it at once may both go on: the one that is found no
      // more ends when nobody uses it.
      rmSync(path, { force: true });
    }
  }

  /** From now on, also for those who asked before: `line`; `onAsked` is called for each. */
  tell(line: string, onAsked: () => void): void {
    this.#line = line;
    this.#onAsked = onAsked;
    for (const socket of this.#sockets) this.#answer(socket);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #answer(socket: Socket): void {
    if (this.#line === null || !socket.writable) return;
    this.#onAsked();
    socket.end(`${this.#line}\n`);
  }
}

function listenAt(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true });
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

/** The line of who listens there; null when nobody does, or it ends before it says one. */
function askAt(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(path);
    socket.setTimeout(answerTimeoutMs, () => socket.destroy());
    socket.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
      if (said.length > maxLineLength) socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(said.endsWith("\n") ? said.slice(0, -1) : null));
  });
}
