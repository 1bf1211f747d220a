import type { Connection, ServerChannel } from "ssh2";

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _chanMgr: { add(opened: Opened): number };
  readonly _protocol: {
    openssh_authAgent(channel: number, windowBytes: number, packetBytes: number): void;
  };
}

/** `type` is what ssh2 gives to the channel that it makes. */
type Opened = ((error: Error | undefined, channel: ServerChannel) => void) & { type?: string };

const channelType = "auth-agent@openssh.com";

/** MAX_WINDOW and PACKET_SIZE of ssh2's lib/Channel.js, which it counts the client's bytes by. */
export const announced = { windowBytes: 2 * 1024 * 1024, packetBytes: 32 * 1024 };

/**
 * Asks a client for a connection to its agent, as OpenSSH's server does for `ssh -A`. To be called
 * while the connection is open.
 *
 * ssh2 can write this packet and understands the answers to it, but its server has a method only
 * for the other kinds of channels (`x11`, `forwardOut`, `openssh_forwardOutStreamLocal`). This is
 * what its `openChannel` (lib/server.js) does for those: a function that stands in the channel
 * manager under a new number is called with the channel when the client confirms, and with an error
 * when it refuses or the connection closes; then the packet is sent.
 *
 * @throws Error when the client refuses, or goes away before it has answered.
 */
export function openAgentChannel(client: Connection): Promise<ServerChannel> {
  const { _chanMgr: channels, _protocol: protocol } = client as unknown as Insides;
  return new Promise((resolve, reject) => {
    const opened: Opened = (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(error);
    };
    opened.type = channelType;
    const id = channels.add(opened);
    if (id === -1) reject(new Error("the connection has no channel left"));
    else protocol.openssh_authAgent(id, announced.windowBytes, announced.packetBytes);
  });
}
