import type { Connection } from "ssh2";

/** What the two packets have in common that tell how the client takes a channel's data. */
interface Opening {
  readonly packetSize: number;
}

type Handler = (protocol: unknown, opening: Opening) => void;

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: {
    readonly _handlers: Record<"CHANNEL_OPEN" | "CHANNEL_OPEN_CONFIRMATION", Handler>;
  };
}

/**
 * OpenSSH takes 32 KiB in a packet, and so must everybody (RFC 4253 section 6.1). Who says much less
 * makes us encrypt a packet for each few bytes; and at 0 ssh2 1.17 never ends to send nothing.
 */
const leastPacketBytes = 1024;

/**
 * To be called once for each connection, before its first channel.
 *
 * @param refuse called instead of an open, of either side, by who takes only smaller packets.
 */
export function limitPackets(client: Connection, refuse: () => void): void {
  const handlers = (client as unknown as Insides)._protocol._handlers;
  for (const name of ["CHANNEL_OPEN", "CHANNEL_OPEN_CONFIRMATION"] as const) {
    const handle = handlers[name];
    handlers[name] = (protocol, opening) => {
      if (opening.packetSize < leastPacketBytes) refuse();
      else handle(protocol, opening);
    };
  }
}
