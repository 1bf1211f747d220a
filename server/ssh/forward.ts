import type { AcceptConnection, RejectConnection, ServerChannel, TcpipRequestInfo } from "ssh2";
import type { Door } from "./door.ts";

/** The longest host name (RFC 1035 section 2.3.4). */
const maxHostLength = 255;

/**
 * Serves one `direct-tcpip` channel (`ssh -L`): a connection from inside the workspace. Resolves
 * when it has ended.
 */
export async function forward(
  { accept, reject }: { accept: AcceptConnection<ServerChannel>; reject: RejectConnection },
  { destIP: host, destPort: port }: TcpipRequestInfo,
  door: Door,
): Promise<void> {
  if (host.length === 0 || host.length > maxHostLength || port < 1 || port > 65_535) {
    reject();
    return;
  }
  let socket;
  try {
    socket = await door.supervisors.dial(await door.target(), { host, port });
  } catch (error) {
    door.log.debug({ err: error, host, port }, "a forwarded connection was refused");
    reject();
    return;
  }
  const channel = accept();
  const ended = new Promise<void>((resolve) => {
    socket.on("close", resolve);
  });
  const writer = door.flow.writer(channel, () => socket.resume());
  const end = (): void => {
    socket.destroy();
    writer[Symbol.dispose]();
  };
  const forget = door.whenClosed(end);
  channel.on("error", end);
  channel.on("close", end);
  channel.on("data", (chunk: Buffer) => {
    if (!socket.write(chunk)) channel.pause();
  });
  socket.on("drain", () => channel.resume());
  channel.on("end", () => socket.end());
  socket.on("data", (chunk) => {
    if (!writer.write("stdout", chunk)) socket.pause();
  });
  // In ssh2 the end of a server's channel closes it; the end of file alone is half of that.
  socket.on("end", () => writer.whenEmpty(() => channel.eof()));
  socket.on("close", () => writer.whenEmpty(() => channel.end()));
  socket.resume();
  await ended;
  forget();
}
