import type { Connection } from "ssh2";

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
  };
  /** Channels of all kinds, by whomever they were opened. */
  readonly _chanMgr: { readonly _count: number };
}

/** Twice what a payload has to be taken of (RFC 4253 section 6.1); OpenSSH sends 32 KiB and a head. */
const maxPayloadBytes = 64 * 1024;

/** What ssh2 lets a client send into a channel before it is read; and as much beside all channels. */
const windowBytes = 2 * 1024 * 1024;

/**
 * `zlib@openssh.com`, which begins after the sign-in. ssh2's, made fit for strangers and for
 * connections that end:
 *
 * - what a packet inflates to is limited, where ssh2 allows 4 GiB, and what all packets of one read
 *   do: 64 KiB may become 64 MiB, which are worked off before anybody else is served. More is an
 *   error of the client's;
 * - an inflated packet stands in memory of its own, where ssh2's stands in 16 KiB with others, of
 *   which a single byte that waits for its program would hold all;
 * - what is written after the client's end is dropped, as it is without compression, where ssh2
 *   throws.
 */
export class Compression {
  readonly #protocol: Insides["_protocol"];
  readonly #channels: Insides["_chanMgr"];
  #inflatedBytes = 0;
  /** Of this read; channels may be closed by it. */
  #maxBytes = 0;

  /** To be made before the sign-in. */
  constructor(client: Connection) {
    const { _protocol: protocol, _chanMgr: channels } = client as Connection & Insides;
    this.#protocol = protocol;
    this.#channels = channels;
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

  /** To be called after each read: what it has become; 0 where it was not compressed. */
  takeInflated(): number {
    const bytes = this.#inflatedBytes;
    this.#inflatedBytes = 0;
    return bytes;
  }

  #boundReader(reader: PacketReader, zlib: Zlib): void {
    zlib._maxOutputLength = maxPayloadBytes;
    const inflate = reader.read.bind(reader);
    reader.read = (payload) => {
      const inflated = inflate(payload);
      this.#count(inflated.length);
      const own = Buffer.allocUnsafeSlow(inflated.length);
      own.set(inflated);
      return own;
    };
  }

  #count(bytes: number): void {
    if (this.#inflatedBytes === 0) this.#maxBytes = windowBytes * (this.#channels._count + 1);
    this.#inflatedBytes += bytes;
    if (this.#inflatedBytes > this.#maxBytes) {
      throw new Error("more was compressed than the windows have room for");
    }
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
