import type { Socket } from "node:net";
import { OneloopError } from "../protocol/errors.ts";

export interface ResponseHead {
  readonly status: number;
  readonly head: Buffer;
  readonly rest: Buffer;
}

/** A supervisor's head has a few hundred bytes; what goes on longer is not one. */
const maxHeadBytes = 16 * 1024;
const endOfHead = Buffer.from("\r\n\r\n");

/**
 * Reads up to the end of a response's head and leaves the socket paused, with nothing listening.
 *
 * @throws OneloopError `supervisor-unreachable` when the head does not come in time.
 */
export function readResponseHead(socket: Socket, timeoutMs: number): Promise<ResponseHead> {
  return new Promise((resolve, reject) => {
    let seen: Buffer = Buffer.alloc(0);
    const fail = (why: string): void => {
      stop();
      socket.destroy();
      reject(
        new OneloopError(
          "supervisor-unreachable",
          "The workspace does not answer. If this lasts, stop and start it.",
          { cause: new Error(why) },
        ),
      );
    };
    const timer = setTimeout(() => fail("no answer in time"), timeoutMs);
    const onData = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const end = seen.indexOf(endOfHead);
      if (end === -1) {
        if (seen.length > maxHeadBytes) fail("the head is too long");
        return;
      }
      stop();
      const head = seen.subarray(0, end + endOfHead.length);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head.toString("latin1"))?.[1] ?? 0);
      resolve({ status, head, rest: seen.subarray(head.length) });
    };
    const onEnd = (): void => fail("the connection ended before an answer");
    const stop = (): void => {
      clearTimeout(timer);
      socket.pause();
      socket.off("data", onData);
      socket.off("end", onEnd);
      socket.off("close", onEnd);
    };
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    // A listener alone does not wake a socket that was paused.
    socket.resume();
  });
}
