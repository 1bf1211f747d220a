import type { AcceptConnection, RejectConnection, ServerChannel, TcpipRequestInfo } from "ssh2";
import type { Door } from "./door.ts";
import { join } from "./join.ts";

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
  await join(accept(), socket, door);
}
