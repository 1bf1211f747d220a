import { randomFillSync } from "node:crypto";
import type { Connection } from "ssh2";
import type { Transport } from "./transport.ts";

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
 * Packets lie side by side in pieces of this size, over all connections, and the pieces are used
 * again: a buffer for each packet, or a new piece for each 1 MiB, is memory outside of JavaScript's
 * heap, and each 64 MiB of that make V8 mark the whole heap: a quarter of the gateway's time, and of
 * a core that the client wants. An idle connection holds none.
 */
const pieceBytes = 512 * 1024;

/** What the sockets of some fast connections wait with; beyond that pieces are left to the collector. */
const keptPieces = 12;

/** A piece, and up to which byte of its output each connection needs it. */
interface Piece {
  readonly bytes: Buffer;
  readonly neededBy: Map<Transport, number>;
}

/** Those that are full, the first is the oldest. */
const full: Piece[] = [];
let piece = newPiece();
let used = 0;

function newPiece(): Piece {
  return { bytes: Buffer.allocUnsafeSlow(pieceBytes), neededBy: new Map() };
}

/** Every byte of it was given to the kernel, or never will be. */
function isFree({ neededBy }: Piece): boolean {
  for (const [socket, upTo] of neededBy) {
    if (!socket.closed && socket.bytesWritten - socket.writableLength < upTo) return false;
  }
  return true;
}

function nextPiece(): Piece {
  const [oldest] = full;
  full.push(piece);
  if (oldest === undefined || !isFree(oldest)) {
    if (full.length > keptPieces) full.shift();
    return newPiece();
  }
  full.shift();
  oldest.neededBy.clear();
  return oldest;
}

/** For the packet that the connection writes next. */
function take(bytes: number, socket: Transport): Buffer {
  if (bytes > pieceBytes) return Buffer.allocUnsafeSlow(bytes);
  if (used + bytes > pieceBytes) {
    piece = nextPiece();
    used = 0;
  }
  const taken = piece.bytes.subarray(used, used + bytes);
  used += bytes;
  piece.neededBy.set(socket, socket.bytesWritten + bytes);
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

/**
 * To be called after each key exchange: the cipher is a new one then.
 *
 * @param socket what the client's packets are written to: ssh2 writes each, as a whole, before it
 * asks for the next.
 */
export function sharePacketMemory(client: Connection, socket: Transport): void {
  const cipher = (client as unknown as Insides)._protocol._cipher;
  const block = blockBytes[cipher.constructor.name];
  if (block === undefined) return;
  cipher.allocPacket = (payloadBytes) => {
    const rest = (1 + payloadBytes) % block;
    const padding = block - rest < leastPaddingBytes ? 2 * block - rest : block - rest;
    const packet = take(headBytes + payloadBytes + padding + tagBytes, socket);
    packet.writeUInt32BE(1 + payloadBytes + padding);
    packet[headBytes - 1] = padding;
    pad(packet, headBytes + payloadBytes, padding);
    return packet;
  };
}
