import type { Socket, TcpSocketConnectOpts } from "node:net";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { decodeCredit, FrameDecoder, FrameType } from "../../server/protocol/frames.ts";
import type { DialRequest } from "../../server/protocol/supervisor.ts";
import {
  connectForRelay,
  forwardBytes,
  type Gate,
  relay,
} from "../../server/util/relayed-socket.ts";
import { readInBulk } from "./exec-stream.ts";
import { Refusal } from "./refusal.ts";

/** On the workspace's own network an answer takes milliseconds; this is a dropped packet. */
const connectTimeoutMs = 10_000;

/**
 * Opens a connection inside the workspace's network. `localhost` is 127.0.0.1, then ::1, then
 * the network's own addresses: many programs listen on only one of them.
 *
 * @throws Refusal 502 when nobody answers.
 */
export async function dial(
  request: DialRequest,
  { home, signal }: { readonly home: string; readonly signal: AbortSignal },
): Promise<Socket> {
  if ("path" in request) return dialSocket(resolve(home, request.path), signal);
  const { host, port } = request;
  const hosts = host === "localhost" ? localAddresses() : [host];
  let why = "";
  for (const each of hosts) {
    if (signal.aborted) break;
    try {
      return await connectTo({ host: each, port, noDelay: true }, signal);
    } catch (error) {
      why ||= codeOf(error);
    }
  }
  throw nothingAt(`${host}:${port}`, why);
}

async function dialSocket(path: string, signal: AbortSignal): Promise<Socket> {
  try {
    return await connectTo({ path }, signal);
  } catch (error) {
    throw nothingAt(path, codeOf(error));
  }
}

function nothingAt(place: string, why: string): Refusal {
  return new Refusal(502, "not-found", `Nothing answers at ${place} (${why}).`);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
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

function connectTo(
  to: { readonly path: string } | (TcpSocketConnectOpts & { readonly host: string }),
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((succeed, reject) => {
    const socket = connectForRelay({ ...to, allowHalfOpen: true }, forwardBytes);
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
      succeed(socket);
    });
    socket.once("error", fail);
  });
}

/**
 * Joins two sockets: bytes pass unread, back pressure and half-close pass with them, and a reset
 * of one resets the other.
 */
export function splice(a: Socket, b: Socket): void {
  if (!relay(a, b)) a.pipe(b);
  if (!relay(b, a)) b.pipe(a);
  joinEnds(a, b);
}

/**
 * The same for the control plane's connection, of which frames come, and one of `dial`, of which no
 * more is passed on than the window lets through. `head`: what came of the first already.
 */
export function spliceWithin(
  windowBytes: number,
  { outer, head, inner }: { outer: Socket; head: Buffer; inner: Socket },
): void {
  const window = new SendWindow(windowBytes);
  const decoder = new FrameDecoder((type, payload) => {
    if (type === FrameType.credit) window.credit(decodeCredit(payload));
    else if (type !== FrameType.stdin) throw new RangeError(`unknown frame ${type}`);
    else if (inner.writable && !inner.write(payload)) hold();
  });
  // What cannot be read now may be credit, and who is inside may take input only when its output is
  // gone: a closed window would be closed for ever.
  const hold = (): void => {
    outer.pause();
    window.lift();
  };
  inner.on("drain", () => {
    if (!outer.readableEnded) window.hold();
    outer.resume();
  });
  const push = (chunk: Buffer): void => {
    try {
      decoder.push(chunk);
    } catch {
      // A broken or hostile peer: what it sends cannot be understood any more.
      outer.destroy();
    }
  };
  outer.on("data", push);
  readInBulk(outer, push, inner);
  outer.on("end", () => {
    window.lift();
    inner.end();
  });
  if (head.length > 0) push(head);
  relay(inner, outer, window);
  joinEnds(outer, inner);
}

/** So much may be passed on, and as much again as credit is given for. */
class SendWindow implements Gate {
  readonly #bytes: number;
  #left: number;
  #lifted = false;
  #opened: () => void = () => undefined;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#left = bytes;
  }

  get open(): boolean {
    return this.#lifted || this.#left > 0;
  }

  passed(bytes: number): void {
    this.#left -= bytes;
  }

  onOpen(opened: () => void): void {
    this.#opened = opened;
  }

  credit(bytes: number): void {
    this.#left = Math.min(this.#bytes, this.#left + bytes);
    if (this.open) this.#opened();
  }

  /** It is open, until `hold`. */
  lift(): void {
    this.#lifted = true;
    this.#opened();
  }

  hold(): void {
    this.#lifted = false;
  }
}

function joinEnds(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on("error", () => {
      // A unix socket knows no reset. While its end is on its way out, libuv refuses to reset a socket,
      // and Node 20 never closes it.
      const isTcp = to.remoteFamily !== undefined;
      if (!isTcp || (to.writableEnded && !to.writableFinished)) to.destroy();
      else to.resetAndDestroy();
    });
    from.on("close", () => {
      // Cut off, or closed after both of its directions ended: then what it sent still has to arrive.
      if (from.errored !== null || !from.readableEnded || to.writableFinished) to.destroy();
      else to.once("finish", () => to.destroy());
    });
  }
}
