import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { DialRequest } from "../../server/protocol/supervisor.ts";
import { Refusal } from "./refusal.ts";

/** On the workspace's own network an answer takes milliseconds; this is a dropped packet. */
const connectTimeoutMs = 10_000;

/**
 * Opens a connection inside the workspace's network. `localhost` is 127.0.0.1, then ::1, then
 * the network's own addresses: many programs listen on only one of them.
 *
 * @throws Refusal 502 when nobody answers.
 */
export async function dial({ host, port }: DialRequest, signal: AbortSignal): Promise<Socket> {
  const hosts = host === "localhost" ? localAddresses() : [host];
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

/** The interfaces are asked for only when nobody answers on the loopback. */
function* localAddresses(): Generator<string> {
  yield "127.0.0.1";
  yield "::1";
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const each of addresses ?? []) {
      if (each.internal) continue;
      // A link-local address means nothing without its interface.
      yield each.family === "IPv6" && each.scopeid !== 0 ? `${each.address}%${name}` : each.address;
    }
  }
}

function connectTo(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const giveUp = (): void => void socket.destroy(new Error("timeout"));
    const timer = setTimeout(giveUp, connectTimeoutMs);
    signal.addEventListener("abort", giveUp);
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      socket.off("error", fail);
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    socket.once("connect", () => {
      settle();
      resolve(socket);
    });
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
    from.on("error", () => {
      // While its end is on its way out, libuv refuses to reset a socket, and Node 20 never closes it.
      if (to.writableEnded && !to.writableFinished) to.destroy();
      else to.resetAndDestroy();
    });
    from.on("close", () => {
      // Cut off, or closed after both of its directions ended: then what it sent still has to arrive.
      if (from.errored !== null || !from.readableEnded || to.writableFinished) to.destroy();
      else to.once("finish", () => to.destroy());
    });
  }
}
