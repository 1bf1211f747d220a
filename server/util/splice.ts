import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { relay } from "./relayed-socket.ts";

/**
 * For the sockets that are spliced. Below the size of a read (64 KiB) each chunk would fill the
 * buffer, and pausing and resuming the source costs two system calls a chunk.
 */
export const spliceHighWaterMarkBytes = 256 * 1024;

/**
 * Joins two streams until both directions have ended: bytes pass unread, back pressure and
 * half-close pass with them. A side that breaks breaks the other: its peer sees a reset, not an end
 * that looks regular.
 */
export function splice(a: Duplex, b: Duplex): void {
  pass(a, b);
  pass(b, a);
  endTogether(a, b);
  endTogether(b, a);
}

function pass(from: Duplex, to: Duplex): void {
  const relayed = from instanceof Socket && to instanceof Socket && relay(from, to);
  if (!relayed) from.pipe(to);
}

function endTogether(from: Duplex, to: Duplex): void {
  from.on("error", () => reset(to));
  from.on("close", () => {
    if (from.errored !== null || !from.readableEnded) {
      reset(to);
    } else if (!to.readableEnded) {
      // Nobody takes what `to` still says; what it was told still has to arrive.
      if (to.writableFinished) to.destroy();
      else to.once("finish", () => to.destroy());
    }
  });
}

function reset(stream: Duplex): void {
  if (stream.destroyed) return;
  // While its end is on its way out, libuv refuses to reset a socket, and Node 20 then never closes it.
  const ending = stream.writableEnded && !stream.writableFinished;
  if (stream instanceof Socket && !ending) stream.resetAndDestroy();
  else stream.destroy();
}
