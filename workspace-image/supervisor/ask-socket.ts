import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Control, Reply } from "./control.ts";
import { parseJson, readAsk } from "./guards.ts";
import { LineReader } from "./lines.ts";
import { badInput, Refusal } from "./refusal.ts";

/** A runaway program must not use up the supervisor's descriptors. */
const maxConnections = 64;

/** A path of 2,000 characters, each escaped in JSON, with room for the rest. */
const maxLineBytes = 16 * 1024;

/** A program connects because it has a question. */
const questionTimeoutMs = 10_000;

/**
 * Listens at a unix socket for programs inside the workspace. A connection is one question: a line
 * with a WorkspaceAsk in JSON, and a line with the Reply; who hangs up before takes it back. Only
 * this user (and root) may connect.
 *
 * @throws Error when it cannot listen there.
 */
export async function listenForAsks(path: string, control: Control): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, control);
  });
  server.maxConnections = maxConnections;
  // A supervisor that was killed left its own.
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
  chmodSync(path, 0o600);
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(socket: Socket, control: Control): void {
  const reply = (answer: Reply): void => {
    if (socket.writable) socket.end(`${JSON.stringify(answer)}\n`);
  };
  const refuse = (error: unknown): void => {
    const { code, message } = error instanceof Refusal ? error : badInput("this is no question");
    reply({ ok: false, error: { code, message } });
  };
  let asked = false;
  const lines = new LineReader(maxLineBytes, (line) => {
    if (asked) return;
    asked = true;
    socket.setTimeout(0);
    const takeBack = control.ask(readAsk(parseJson(line)), reply);
    socket.on("close", takeBack);
  });
  socket.setTimeout(questionTimeoutMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    // What follows the question is read, and dropped.
    if (asked) return;
    try {
      lines.push(chunk);
    } catch (error) {
      asked = true;
      refuse(error);
    }
  });
}
