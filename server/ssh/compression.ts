import type { Connection } from "ssh2";
import { SharedTurns } from "./shared-turns.ts";
import type { Transport } from "./transport.ts";

interface Zlib {
  _maxOutputLength: number;
  /** Null from the connection's end on. */
  readonly _handle: object | null;
}

/** ssh2's packet reader and writer; `_zlib` where they compress. */
interface PacketReader {
  readonly _zlib?: Zlib;
  read(payload: Buffer): Buffer;
}

interface PacketWriter {
  readonly _zlib?: Zlib;
  finalize(payload: Buffer, force?: boolean): Buffer;
}

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: {
    readonly _packetRW: { read: PacketReader; write: PacketWriter };
    readonly _cipher: { allocPacket(payloadBytes: number): Buffer };
    parse(chunk: Buffer, from: number, to: number): void;
    /** @returns where it goes on with other keys; undefined where all was taken. */
    _parse(chunk: Buffer, from: number, to: number): number | undefined;
  };
}

/** Twice what a payload has to be taken of (RFC 4253 section 6.1); OpenSSH sends 32 KiB and a head. */
const maxPayloadBytes = 64 * 1024;

/** Inflated at once: this may become 1 MiB. */
const sliceBytes = 1024;

/** Of all connections. To inflate so much takes a millisecond, and what is done with it as much again. */
const inflating = new SharedTurns(256 * 1024);

/**
 * `zlib@openssh.com`, which begins after the sign-in. ssh2's, made fit for strangers and for
 * connections that end:
 *
 * - what a packet inflates to is limited, where ssh2 allows 4 GiB: more is an error of the client's;
 * - what is read, and may become a thousand times as much, is worked off in turns with others;
 * - an inflated packet stands in memory of its own, where ssh2's stands in 16 KiB with others, of
 *   which a single byte that waits for its program would hold all;
 * - what is written after the client's end is dropped, as it is without compression, where ssh2
 *   throws.
 */
export class Compression {
  readonly #protocol: Insides["_protocol"];
  readonly #socket: Transport;
  #heldBack = false;

  /** To be made before the sign-in. */
  constructor(client: Connection, socket: Transport) {
    const { _protocol: protocol } = client as Connection & Insides;
    this.#protocol = protocol;
    this.#socket = socket;
    this.#parseInSlices();
    const packets = protocol._packetRW;
    let { read, write } = packets;
    // Each key exchange makes new ones.
    Object.defineProperties(packets, {
      read: {
        get: () => read,
        set: (made: PacketReader) => {
          read = made;
          if (made._zlib !== undefined) this.#boundReader(made, made._zlib);
        },
      },
      write: {
        get: () => write,
        set: (made: PacketWriter) => {
          write = made;
          if (made._zlib !== undefined) this.#boundWriter(made, made._zlib);
        },
      },
    });
  }

  /** What is sent now is deflated. */
  get deflates(): boolean {
    return this.#protocol._packetRW.write._zlib !== undefined;
  }

  /**
   * To be called in each `data` event of the socket, after ssh2 had it. Where others have their turn
   * first, the rest of what was read is kept, the socket is paused, and the caller's to be resumed.
   *
   * @param goOn called when the rest is to be read.
   * @returns whether it will be.
   */
  waits(goOn: () => void): boolean {
    if (this.#heldBack) inflating.wait(goOn);
    return this.#heldBack;
  }

  /** A key exchange in the midst of it may be where compression begins. */
  #parseInSlices(): void {
    const protocol = this.#protocol;
    const socket = this.#socket;
    protocol.parse = (chunk, from, to) => {
      this.#heldBack = false;
      let at = from;
      while (at < to && !socket.destroyed) {
        if (!this.#inflates) {
          at = protocol._parse(chunk, at, to) ?? to;
        } else if (inflating.roomBytes > 0) {
          // ssh2 may take all of what it is given, whatever the numbers say.
          const slice = chunk.subarray(at, Math.min(at + sliceBytes, to));
          at += protocol._parse(slice, 0, slice.length) ?? slice.length;
        } else {
          this.#heldBack = true;
          socket.pause();
          // The chunk may stand in memory that is read into again.
          socket.unshift(Buffer.from(chunk.subarray(at, to)));
          return;
        }
      }
    };
  }

  get #inflates(): boolean {
    return this.#protocol._packetRW.read._zlib !== undefined;
  }

  #boundReader(reader: PacketReader, zlib: Zlib): void {
    zlib._maxOutputLength = maxPayloadBytes;
    const inflate = reader.read.bind(reader);
    reader.read = (payload) => {
      const inflated = inflate(payload);
      inflating.use(inflated.length);
      const own = Buffer.allocUnsafeSlow(inflated.length);
      own.set(inflated);
      return own;
    };
  }

  #boundWriter(writer: PacketWriter, zlib: Zlib): void {
    const deflate = writer.finalize.bind(writer);
    writer.finalize = (payload, force) =>
      // The cipher of an ended connection drops it.
      zlib._handle === null
        ? this.#protocol._cipher.allocPacket(payload.length)
        : deflate(payload, force);
  }
}
