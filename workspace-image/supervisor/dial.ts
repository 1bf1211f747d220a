import { connect, type Socket } from "node:net";
import type { DialRequest } from "../../server/protocol/supervisor.ts";
import { Refusal } from "./refusal.ts";

/** On the workspace's own network an answer takes milliseconds; this is a dropped packet. */
const connectTimeoutMs = 10_000;

/**
 * Opens a connection inside the workspace's network. `localhost` is 127.0.0.1, then ::1: many
 * programs listen on only one of them.
 *
 * @throws Refusal 502 when nobody answers.
 */
export async function dial({ host, port }: DialRequest, signal: AbortSignal): Promise<Socket> {
  const hosts = host === "localhost" ? ["127.0.0.1", "::1"] : [host];
  let why = "";
  for (const each of hosts) {
    if (signal.aborted) break;
    try {
      return await connectTo(each, port, signal);
    } catch (error) {
      why ||= (error as NodeJS.ErrnoException).code ?? String(error);
    }
  }
  throw new Refusal(502, "not-found", `Nothing answers at ${host}:${port} (${why}).`);
}

function connectTo(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, signal });
    const timer = setTimeout(() => socket.destroy(new Error("timeout")), connectTimeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once("error", fail);
  });
}

/**
 * Joins two sockets: bytes pass unread, back pressure and half-close pass with them, and a reset
 * of one resets the other.
 */
export function splice(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.resetAndDestroy());
    from.on("close", () => {
      // Cut off, or closed after both of its directions ended: then what it sent still has to arrive.
      if (from.errored !== null || !from.readableEnded || to.writableFinished) to.destroy();
      else to.once("finish", () => to.destroy());
    });
  }
}
