import { randomFillSync } from "node:crypto";
import type { Connection } from "ssh2";
import type { Transport } from "./transport.ts";

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: { readonly _cipher: Cipher; _onWrite(packets: Buffer): void };
}

interface Cipher {
  allocPacket(payloadBytes: number): Buffer;
  _onWrite: (packet: Buffer) => void;
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
 * a core that the client wants. An idle connection holds none. What a forward reads at once, in its
 * packets, fits into one.
 */
const pieceBytes = 544 * 1024;

/** What the sockets of some fast connections wait with; beyond that pieces are left to the collector. */
const keptPieces = 12;

/** A piece, and up to which byte of its output each connection needs it. */
interface Piece {
  readonly bytes: Buffer;
  readonly neededBy: Map<PacketMemory, number>;
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
  for (const [packets, upTo] of neededBy) if (packets.takenByKernel < upTo) return false;
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
function take(bytes: number, packets: PacketMemory): Buffer {
  if (bytes > pieceBytes) return Buffer.allocUnsafeSlow(bytes);
  if (isFree(piece)) {
    // Where the cache still has it.
    piece.neededBy.clear();
    used = 0;
  } else if (used + bytes > pieceBytes) {
    piece = nextPiece();
    used = 0;
  }
  const taken = piece.bytes.subarray(used, used + bytes);
  used += bytes;
  piece.neededBy.set(packets, packets.bytesWritten + bytes);
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

/** The packets of one connection. */
export class PacketMemory {
  readonly #client: Connection & Insides;
  readonly #socket: Transport;
  #together = false;
  /** The first of the packets that lie side by side and are not written yet, and all their bytes. */
  #first: Buffer | null = null;
  #runBytes = 0;

  /**
   * @param socket what the client's packets are written to: ssh2 writes each, as a whole, before it
   * asks for the next.
   */
  constructor(client: Connection, socket: Transport) {
    this.#client = client as Connection & Insides;
    this.#socket = socket;
  }

  /** With those that wait to be sent. */
  get bytesWritten(): number {
    return this.#socket.bytesWritten + this.#runBytes;
  }

  /** How many of its bytes nobody needs any more. */
  get takenByKernel(): number {
    const { closed, bytesWritten, writableLength } = this.#socket;
    return closed ? Infinity : bytesWritten - writableLength;
  }

  /** To be called after each key exchange: the cipher is a new one then. */
  share(): void {
    const cipher = this.#client._protocol._cipher;
    const block = blockBytes[cipher.constructor.name];
    if (block === undefined) return;
    cipher.allocPacket = (payloadBytes) => {
      const rest = (1 + payloadBytes) % block;
      const padding = block - rest < leastPaddingBytes ? 2 * block - rest : block - rest;
      const packet = take(headBytes + payloadBytes + padding + tagBytes, this);
      packet.writeUInt32BE(1 + payloadBytes + padding);
      packet[headBytes - 1] = padding;
      pad(packet, headBytes + payloadBytes, padding);
      return packet;
    };
    cipher._onWrite = (packet) => this.#add(packet);
  }

  /** Runs what sends several packets: they leave in one system call, and wake the client once. */
  together(send: () => void): void {
    const socket = this.#socket;
    this.#together = true;
    socket.cork();
    try {
      send();
    } finally {
      this.#together = false;
      this.#flush();
      socket.uncork();
    }
  }

  /** Those side by side become one write: a stream has work with each. */
  #add(packet: Buffer): void {
    const first = this.#first;
    const next = first === null ? 0 : first.byteOffset + this.#runBytes;
    if (first?.buffer !== packet.buffer || next !== packet.byteOffset) {
      this.#flush();
      this.#first = packet;
    }
    this.#runBytes += packet.length;
    if (!this.#together) this.#flush();
  }

  #flush(): void {
    const first = this.#first;
    if (first === null) return;
    const run = Buffer.from(first.buffer, first.byteOffset, this.#runBytes);
    this.#first = null;
    this.#runBytes = 0;
    this.#client._protocol._onWrite(run);
  }
}
