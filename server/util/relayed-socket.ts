import { connect, type NetConnectOpts, type Socket } from "node:net";
import { bulkBytes, usualBytes } from "./own-memory.ts";

/**
 * What a forward reads at once: each read wakes up the process, and the next one of the way. Of
 * 256 KiB to 2 MiB this moved most; more is cold when it is encrypted.
 */
export const forwardBytes = 512 * 1024;

/** Less is copied out of memory that all connections share: who says little has none of its own. */
const littleBytes = 4 * 1024;

/** Of all connections: what is read into it is copied before anything else is read. */
const shared = Buffer.allocUnsafeSlow(usualBytes);

/**
 * What connections gave back, for the next ones, by its size; what is beyond that is left to the
 * collector.
 */
const free = new Map<number, Buffer[]>();
const mostFree = 12;

/** @returns false: nothing more is read until `socket.resume()`. The next read overwrites the chunk. */
type Taker = (chunk: Buffer) => boolean;

const takers = new WeakMap<Socket, Taker | null>();

/**
 * A connection that reads into memory that is used again: else Node takes 64 KiB of new memory for
 * each read, whose collection costs more than the bytes do. It is a usual stream, until `relay` or
 * `takeReads` takes what it reads without memory for each read. While a part of what was read waits to
 * be written, its memory stays as it is, and nothing more is read.
 *
 * @param readBytes at most, at once.
 */
export function connectForRelay(options: NetConnectOpts, readBytes = bulkBytes): Socket {
  let own: Buffer | null = null;
  const socket: Socket = connect({
    ...options,
    onread: {
      buffer: () => own ?? shared,
      callback: (length, memory) => {
        const read = (memory as Buffer).subarray(0, length);
        const take = takers.get(socket) ?? null;
        const chunk = own === null || take === null ? Buffer.from(read) : read;
        const goesOn = take === null ? socket.push(chunk) : take(chunk);
        own = nextMemory(own, { length, goesOn, readBytes });
        return goesOn;
      },
    },
  });
  takers.set(socket, null);
  return socket;
}

/** Null: the shared one. */
function nextMemory(
  own: Buffer | null,
  { length, goesOn, readBytes }: { length: number; goesOn: boolean; readBytes: number },
): Buffer | null {
  const given = free.get(readBytes) ?? [];
  if (length >= littleBytes) return own ?? given.pop() ?? Buffer.allocUnsafeSlow(readBytes);
  // What it still waits with stands in it.
  if (own === null || !goesOn) return own;
  if (given.length < mostFree) given.push(own);
  free.set(readBytes, given);
  return null;
}

/** What may be passed on besides the back pressure of where it goes. */
export interface Gate {
  readonly open: boolean;
  passed(bytes: number): void;
  /** Calls back whenever it opens. */
  onOpen(opened: () => void): void;
}

/**
 * Passes on what `from` reads, and its end, with the back pressure of `to`, and of a gate: nothing is
 * read while it is closed.
 *
 * @returns false where `from` is not of `connectForRelay`; nothing is done then.
 */
export function relay(from: Socket, to: Socket, gate: Gate | null = null): boolean {
  let waiting = false;
  const isOpen = (): boolean => gate === null || gate.open;
  const goOn = (): void => {
    if (!waiting && isOpen()) from.resume();
  };
  const taken = takeReads(from, (chunk) => {
    if (to.destroyed) return true;
    let waits = false;
    to.write(chunk, () => {
      if (!waits) return;
      waiting = false;
      goOn();
    });
    // What the kernel did not take at once still stands in the buffer.
    waits = to.writableLength > 0;
    waiting = waits;
    gate?.passed(chunk.length);
    return !waits && isOpen();
  });
  if (taken) gate?.onOpen(goOn);
  if (taken) from.once("end", () => to.end());
  return taken;
}

/**
 * Gives what `socket` reads, and has read already, to `take`. Its events but `data` come as ever.
 *
 * @returns false where it is not of `connectForRelay`; nothing is done then.
 */
export function takeReads(socket: Socket, take: Taker): boolean {
  if (!takers.has(socket)) return false;
  takers.set(socket, take);
  const early = socket.readableLength > 0 ? (socket.read() as Buffer | null) : null;
  if (early === null || take(early)) socket.resume();
  return true;
}
