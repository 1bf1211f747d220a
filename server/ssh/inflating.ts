import type { Connection } from "ssh2";

/** ssh2's packet reader; `_zlib` where the client compresses. */
interface PacketReader {
  readonly _zlib?: { _maxOutputLength: number };
}

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: { readonly _packetRW: { read: PacketReader } };
}

/** Twice what a payload has to be taken of (RFC 4253 section 6.1); OpenSSH sends 32 KiB and a head. */
const maxPayloadBytes = 64 * 1024;

/**
 * Ends a connection of which a packet becomes larger when it is inflated, by an error of the parser:
 * ssh2 would give it 4 GiB. To be called before the sign-in, as compression begins with that.
 */
export function limitInflating(client: Connection): void {
  const packets = (client as Connection & Insides)._protocol._packetRW;
  let reader = packets.read;
  // Each key exchange makes a new one.
  Object.defineProperty(packets, "read", {
    get: () => reader,
    set: (made: PacketReader) => {
      reader = made;
      if (made._zlib !== undefined) made._zlib._maxOutputLength = maxPayloadBytes;
    },
  });
}
