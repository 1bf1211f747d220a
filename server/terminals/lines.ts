import type { Socket } from "node:net";

/**
 * The lines that come, until the socket ends; leaving early ends the socket.
 *
 * @throws RangeError for a line that is too long: the peer is broken or hostile.
 */
export async function* lines(socket: Socket, maxLineBytes: number): AsyncGenerator<string> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let end = pending.indexOf(10); end !== -1; end = pending.indexOf(10)) {
      yield pending.toString("utf8", 0, end);
      pending = pending.subarray(end + 1);
    }
    if (pending.length > maxLineBytes) throw new RangeError("a line is too long");
  }
}
