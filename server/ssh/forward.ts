import type {
  AcceptConnection,
  RejectConnection,
  ServerChannel,
  SocketRequestInfo,
  TcpipRequestInfo,
} from "ssh2";
import type { Forwarded } from "../terminals/supervisors.ts";
import type { Door } from "./door.ts";
import { join } from "./join.ts";

/** The longest host name (RFC 1035 section 2.3.4). */
const maxHostLength = 255;

/** sun_path of unix(7) without its NUL. */
const maxSocketPathBytes = 107;

interface Opening {
  readonly accept: AcceptConnection<ServerChannel>;
  readonly reject: RejectConnection;
}

/**
 * Serves one `direct-tcpip` channel (`ssh -L`, `-D` and `-W`): a connection from inside the
 * workspace. Where nobody answers there, the client is told at once. Resolves when it has ended.
 */
export async function forward(
  opening: Opening,
  { destIP: host, destPort: port }: TcpipRequestInfo,
  door: Door,
): Promise<void> {
  if (host.length === 0 || host.length > maxHostLength || port < 1 || port > 65_535) {
    opening.reject();
    return;
  }
  await serve(opening, door, async () =>
    door.supervisors.forward(await door.target(), { host, port }),
  );
}

/** The same for a `direct-streamlocal@openssh.com` channel: a unix socket inside the workspace. */
export async function forwardToSocket(
  opening: Opening,
  { socketPath: path }: SocketRequestInfo,
  door: Door,
): Promise<void> {
  if (path.length === 0 || Buffer.byteLength(path) > maxSocketPathBytes || path.includes("\0")) {
    opening.reject();
    return;
  }
  await serve(opening, door, async () => door.supervisors.forward(await door.target(), { path }));
}

async function serve(
  { accept, reject }: Opening,
  door: Door,
  dial: () => Promise<Forwarded>,
): Promise<void> {
  let forwarded;
  try {
    forwarded = await dial();
  } catch (error) {
    door.log.debug({ err: error }, "a forwarded connection was refused");
    reject();
    return;
  }
  const { socket, credit } = forwarded;
  await join(accept(), socket, { ...door, credit });
}
