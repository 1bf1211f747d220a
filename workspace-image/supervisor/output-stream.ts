import type { Socket } from "node:net";
import { encodeFrame, FrameType } from "../../server/protocol/frames.ts";
import type { OutputPosition, OutputRequest } from "../../server/protocol/supervisor.ts";
import { FrameWriter } from "./exec-stream.ts";
import type { Sink, Terminal } from "./terminals.ts";

/**
 * Gives a reader what a terminal's program printed: as a log, with nobody who types, and for whom
 * the program does not wait.
 */
export function serveOutput(
  terminal: Terminal,
  { from, follow }: OutputRequest,
  socket: Socket,
): void {
  const output = new FrameWriter(socket);
  const tell = (offset: number): void => {
    const position: OutputPosition = { offset, end: terminal.ring.end };
    socket.write(encodeFrame(FrameType.position, JSON.stringify(position)));
  };
  const sink: Sink = {
    onlooker: true,
    output: (chunk) => output.data(FrameType.stdout, chunk),
    skipped: tell,
    resized: () => undefined,
    ended: ({ code, signal }) => output.exit({ code, signal, error: null }),
    get congested() {
      return output.congested || !output.writable;
    },
    get queuedBytes() {
      return output.queuedBytes;
    },
  };
  if (!follow) {
    giveKept(terminal, from, { output, tell });
    return;
  }
  const follower = terminal.follow(sink, from, tell);
  socket.on("drain", () => follower.drained());
  socket.on("end", () => socket.end());
  socket.on("close", () => follower[Symbol.dispose]());
  socket.resume();
}

/** All at once: it is a ring at most. */
function giveKept(
  { ring, end }: Terminal,
  from: number,
  { output, tell }: { output: FrameWriter; tell: (offset: number) => void },
): void {
  const offset = from < ring.start || from > ring.end ? ring.start : from;
  tell(offset);
  if (offset < ring.end) output.data(FrameType.stdout, ring.read(offset, ring.end - offset));
  const { code, signal } = end ?? { code: null, signal: null };
  output.exit({ code, signal, error: null });
}
