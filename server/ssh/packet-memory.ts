import { randomFillSync } from "node:crypto";
import type { Connection } from "ssh2";

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: { readonly _cipher: Cipher };
}

interface Cipher {
  allocPacket(payloadBytes: number): Buffer;
}

/** Length and padding's length, before the payload (RFC 4253 section 6). */
const headBytes = 5;
/** At the end of both ciphers' packets: the tag. */
const tagBytes = 16;
/** RFC 4253 section 6: so much padding at least. */
const leastPaddingBytes = 4;

/** The ciphers of which we know the form, by ssh2's names; others go on as they are. */
const blockBytes: Readonly<Record<string, number>> = {
  AESGCMCipherBinding: 16,
  ChaChaPolyCipherBinding: 8,
};

/**
 * Packets lie side by side in pieces of this size, over all connections. A buffer for each packet,
 * 32 KiB of output mostly, cost a quarter of the gateway's time in garbage collection; an idle
 * connection holds none.
 */
const pieceBytes = 1024 * 1024;
let piece = Buffer.allocUnsafeSlow(pieceBytes);
let used = 0;

function take(bytes: number): Buffer {
  if (bytes > pieceBytes) return Buffer.allocUnsafeSlow(bytes);
  if (used + bytes > pieceBytes) {
    piece = Buffer.allocUnsafeSlow(pieceBytes);
    used = 0;
  }
  const taken = piece.subarray(used, used + bytes);
  used += bytes;
  return taken;
}

/** Each byte is used once: asking the generator for a few at a time takes as long as for thousands. */
const random = Buffer.allocUnsafeSlow(16 * 1024);
let randomUsed = random.length;

function pad(packet: Buffer, at: number, bytes: number): void {
  if (randomUsed + bytes > random.length) {
    randomFillSync(random);
    randomUsed = 0;
  }
  random.copy(packet, at, randomUsed, randomUsed + bytes);
  randomUsed += bytes;
}

/** To be called after each key exchange: the cipher is a new one then. */
export function sharePacketMemory(client: Connection): void {
  const cipher = (client as unknown as Insides)._protocol._cipher;
  const block = blockBytes[cipher.constructor.name];
  if (block === undefined) return;
  cipher.allocPacket = (payloadBytes) => {
    const rest = (1 + payloadBytes) % block;
    const padding = block - rest < leastPaddingBytes ? 2 * block - rest : block - rest;
    const packet = take(headBytes + payloadBytes + padding + tagBytes);
    packet.writeUInt32BE(1 + payloadBytes + padding);
    packet[headBytes - 1] = padding;
    pad(packet, headBytes + payloadBytes, padding);
    return packet;
  };
}
