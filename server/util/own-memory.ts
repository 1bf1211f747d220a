import type { Socket } from "node:net";

/** What Node 20 has inside each socket, for the `onread` option of those that connect. */
const insides = ["kBuffer", "kBufferCb", "kBufferGen"] as const;

/** As much as Node reads at once; a connection that fills it has more. */
export const usualBytes = 64 * 1024;

/** For connections of which much comes. */
export const bulkBytes = 256 * 1024;

/** After a read of less, a connection reads as those do of which little comes. */
export const littleBytes = 16 * 1024;

interface Handle {
  useUserBuffer?(memory: Buffer): void;
}

export interface OwnMemory {
  /**
   * The bytes stand in memory of `next`, which is read into again after this.
   *
   * @returns false: nothing more is read until `socket.resume()`.
   */
  readonly onRead: (chunk: Buffer) => boolean;
  /** Where the next read goes. */
  readonly next: () => Buffer;
}

/**
 * Has a connection that was accepted read as `onread` has one that connects: Node has no option for
 * those, and takes 64 KiB of new memory for each read.
 *
 * @returns false where this Node has it otherwise; nothing is done then.
 */
export function readIntoOwnMemory(socket: Socket, { onRead, next }: OwnMemory): boolean {
  const symbols = Object.getOwnPropertySymbols(socket);
  const [kBuffer, kBufferCb, kBufferGen] = insides.map((name) =>
    symbols.find(({ description }) => description === name),
  );
  const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return false;
  if (typeof handle?.useUserBuffer !== "function") return false;
  const first = next();
  Object.assign(socket, {
    [kBuffer]: first,
    [kBufferCb]: (bytes: number, memory: Buffer) => {
      try {
        return onRead(memory.subarray(0, bytes));
      } catch (error) {
        // Else the next read would go where this one is.
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
        return true;
      }
    },
    [kBufferGen]: next,
  });
  handle.useUserBuffer(first);
  return true;
}
