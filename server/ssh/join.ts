import type { Socket } from "node:net";
import type { ServerChannel } from "ssh2";
import type { ReadCredit } from "../terminals/read-credit.ts";
import { takeReads } from "../util/relayed-socket.ts";
import { ShortWaits } from "../util/short-waits.ts";
import { Turns } from "../util/turns.ts";
import type { Door } from "./door.ts";

/**
 * Joins a channel with a paused connection to something inside the workspace: bytes, back pressure
 * and half-close pass both ways. Resolves when the connection has ended.
 */
export async function join(
  channel: ServerChannel,
  socket: Socket,
  door: Pick<Door, "flow" | "whenClosed"> & {
    /** What the client is told at the end, where it waits for the end of a program. */
    readonly exitStatus?: number;
    /** Of a connection that has a window. */
    readonly credit?: ReadCredit | null;
  },
): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    socket.on("close", resolve);
  });
  const { credit = null } = door;
  const turns = new Turns(socket);
  const waits = new ShortWaits();
  const writer = door.flow.writer(channel, () => turns.release());
  const end = (): void => {
    socket.destroy();
    writer[Symbol.dispose]();
  };
  const forget = door.whenClosed(end);
  channel.on("error", end);
  channel.on("close", end);
  door.flow.input.passOn(channel, credit ?? socket);
  channel.on("data", (chunk: Buffer) => {
    if (!(credit ?? socket).write(chunk)) channel.pause();
    waits.passed("client", chunk.length);
  });
  const goOn = (): void => void channel.resume();
  if (credit === null) socket.on("drain", goOn);
  else credit.onDrain(goOn);
  channel.on("end", () => (credit ?? socket).end());
  const pass = (chunk: Buffer): void => {
    // First: what comes next can come meanwhile.
    credit?.took(chunk.length);
    turns.took(chunk.length);
    if (!writer.write("stdout", chunk)) turns.hold();
    waits.passed("workspace", chunk.length);
  };
  const taken = takeReads(socket, (chunk) => {
    pass(chunk);
    return !turns.waits;
  });
  if (!taken) socket.on("data", pass);
  // In ssh2 the end of a server's channel closes it; the end of file alone is half of that.
  socket.on("end", () =>
    writer.whenEmpty(() => {
      if (door.exitStatus !== undefined) channel.exit(door.exitStatus);
      channel.eof();
    }),
  );
  socket.on("close", () => writer.whenEmpty(() => channel.end()));
  turns.release();
  await ended;
  forget();
}
