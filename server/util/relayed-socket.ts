import { connect, type NetConnectOpts, type Socket } from "node:net";

/** Much of what waits in a socket is taken at once; pages that no read has reached cost nothing. */
const readBytes = 256 * 1024;

/** @returns false: nothing more is read until `socket.resume()`. The next read overwrites the chunk. */
type Taker = (chunk: Buffer) => boolean;

const takers = new WeakMap<Socket, Taker | null>();

/**
 * A connection that reads into one buffer of its own: else Node takes 64 KiB of new memory for each
 * read, whose collection costs more than the bytes do. It is a stream as any other, until `relay` or
 * `takeReads` takes what it reads without a copy and without memory for each read. The buffer stays
 * the same: while a part of it waits to be written, nothing more is read.
 */
export function connectForRelay(options: NetConnectOpts): Socket {
  const socket: Socket = connect({
    ...options,
    onread: {
      buffer: Buffer.allocUnsafeSlow(readBytes),
      callback: (length, buffer) => {
        const chunk = (buffer as Buffer).subarray(0, length);
        const take = takers.get(socket);
        return take === null || take === undefined ? socket.push(Buffer.from(chunk)) : take(chunk);
      },
    },
  });
  takers.set(socket, null);
  return socket;
}

/**
 * Passes on what `from` reads, and its end, with the back pressure of `to`.
 *
 * @returns false where `from` is not of `connectForRelay`; nothing is done then.
 */
export function relay(from: Socket, to: Socket): boolean {
  const goOn = (): void => {
    from.resume();
  };
  const taken = takeReads(from, (chunk) => {
    if (to.destroyed) return true;
    let waits = false;
    to.write(chunk, () => {
      if (waits) goOn();
    });
    // What the kernel did not take at once still stands in the buffer.
    waits = to.writableLength > 0;
    return !waits;
  });
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
