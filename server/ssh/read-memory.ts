import { Socket } from "node:net";
import type { Connection, ServerChannel } from "ssh2";
import { bulkBytes, littleBytes, readIntoOwnMemory, usualBytes } from "../util/own-memory.ts";
import type { Transport } from "./transport.ts";

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _chanMgr: { get(id: number): unknown };
  readonly _protocol: {
    _decipher: Decipher;
    readonly _onPayload: PayloadTaker;
    readonly _packetRW: { readonly read: object };
  };
}

type PayloadTaker = (payload: Buffer) => unknown;

interface Decipher {
  _onPayload: PayloadTaker;
  /** Of the packet that comes. */
  readonly _len: number;
  /** That, as far as it has come. */
  _packet: Uint8Array | null;
}

/** Where the input of a channel goes to: a socket, or what writes into one. */
export interface Sink {
  cork(): void;
  uncork(): void;
  /** With those that wait to be sent. */
  readonly bytesWritten: number;
  readonly writableLength: number;
  readonly closed: boolean;
}

interface PassedOn {
  readonly channel: ServerChannel;
  readonly sink: Sink;
}

/** Those that decrypt a packet where it stands, and keep nothing of it afterwards. */
const inPlace: ReadonlySet<string> = new Set([
  "AESGCMDecipherBinding",
  "ChaChaPolyDecipherBinding",
]);

/** SSH_MSG_CHANNEL_DATA (RFC 4254 section 5.2): the channel's number stands at byte 1. */
const channelData = 94;

/** Less is copied: what waits for its program would hold a whole memory for it. */
const leastShownBytes = 8 * 1024;

/** Of all connections: what is read into it is copied before anything else is read. */
const shared = Buffer.allocUnsafeSlow(usualBytes);

/** What the sinks of some fast connections wait with; beyond that memory is left to the collector. */
const mostLent = 12;

/** ssh2 takes no longer packet. */
const maxPacketBytes = 35_000;

interface Memory {
  readonly read: Buffer;
  /**
   * Where packets are joined that two reads share, by turns: what one read has ended stands there
   * still when the next one has begun.
   */
  readonly joined: readonly [Buffer, Buffer];
}

function newMemory(): Memory {
  const joined = Buffer.allocUnsafeSlow(2 * maxPacketBytes);
  return {
    read: Buffer.allocUnsafeSlow(bulkBytes),
    joined: [joined.subarray(0, maxPacketBytes), joined.subarray(maxPacketBytes)],
  };
}

/** Memory that sinks have not given to the kernel yet, and up to which of its bytes each has it. */
interface Lent {
  readonly memory: Memory;
  readonly neededBy: readonly (readonly [sink: Sink, upTo: number])[];
}

const lent: Lent[] = [];
const free: Memory[] = [];

function takeMemory(): Memory {
  const at = lent.findIndex(({ neededBy }) => neededBy.every(([sink, upTo]) => isDone(sink, upTo)));
  const [done] = at === -1 ? [] : lent.splice(at, 1);
  return done?.memory ?? free.pop() ?? newMemory();
}

function isDone(sink: Sink, upTo: number): boolean {
  return sink.closed || sink.bytesWritten - sink.writableLength >= upTo;
}

/**
 * The memory that a client's bytes are read into, where many come: used again for the next read as
 * soon as the programs' connections have given what they got of it to the kernel. Node's own 64 KiB
 * for each read, and ssh2's 32 KiB for each packet that two reads share, have V8 mark the heap of the
 * control plane a hundred times for 3.5 GiB, which took two thirds of the gateway's time. An idle
 * connection has no memory for this.
 *
 * What stands in it is told only to channels that pass their input on (`passOn`), within their `data`
 * event; for all others, and for every other message, it is copied.
 */
export class ReadMemory {
  readonly #client: Connection & Insides;
  readonly #socket: Transport;
  readonly #passedOn = new Map<number, PassedOn>();
  /** Of this read: what got some of it. */
  readonly #touched = new Set<Sink>();
  #own: Memory | null = null;
  /** Of which a part has come. */
  #packet: Uint8Array | null = null;
  /** Which one of the memory's two is, or was, joined last. */
  #joined: 0 | 1 = 0;
  #reading = false;
  /** A channel kept what it was told. */
  #kept = false;

  constructor(client: Connection, socket: Transport) {
    this.#client = client as Connection & Insides;
    this.#socket = socket;
    if (!(socket instanceof Socket)) return;
    this.#wrapDeciphers();
    let lastBytes = 0;
    readIntoOwnMemory(socket, {
      onRead: (chunk) => {
        lastBytes = chunk.length;
        return this.#read(chunk);
      },
      next: () => this.#next(lastBytes),
    });
  }

  /** All input of a channel goes, in its `data` event, into `sink`, and nowhere else. */
  passOn(channel: ServerChannel, sink: Sink): void {
    const { id } = (channel as unknown as { readonly incoming: { readonly id: number } }).incoming;
    const passed = { channel, sink };
    this.#passedOn.set(id, passed);
    channel.on("close", () => {
      if (this.#passedOn.get(id) === passed) this.#passedOn.delete(id);
    });
  }

  #read(chunk: Buffer): boolean {
    const socket = this.#socket;
    const direct = socket.readableFlowing === true && socket.readableLength === 0;
    if (this.#own === null || !direct || !this.#mayShow()) return socket.push(Buffer.from(chunk));
    this.#reading = true;
    try {
      socket.emit("data", chunk);
    } finally {
      this.#reading = false;
      for (const sink of this.#touched) sink.uncork();
      this.#keepPart(chunk);
    }
    return true;
  }

  /** ssh2 goes on with a packet whose end has not come; it may be all but its last bytes. */
  #keepPart({ buffer }: Buffer): void {
    const packet = this.#packet;
    if (packet?.buffer !== buffer) return;
    this.#packet = this.#placeToJoin(packet.length);
    this.#packet?.set(packet);
  }

  #placeToJoin(bytes: number): Buffer | null {
    this.#joined = this.#joined === 0 ? 1 : 0;
    return this.#own?.joined[this.#joined].subarray(0, bytes) ?? null;
  }

  #next(lastBytes: number): Buffer {
    const memory = this.#own;
    const neededBy = [...this.#touched]
      .filter((sink) => sink.writableLength > 0)
      .map((sink) => [sink, sink.bytesWritten] as const);
    this.#touched.clear();
    this.#own = null;
    if (memory !== null && !this.#kept) {
      if (neededBy.length > 0) this.#lend({ memory, neededBy });
      else if (lastBytes >= littleBytes) this.#own = memory;
      else if (free.length < mostLent) free.push(memory);
    }
    this.#kept = false;
    if (this.#socket.destroyed) return shared;
    if (memory !== null ? lastBytes >= littleBytes : lastBytes >= usualBytes) {
      this.#own ??= takeMemory();
    }
    if (memory !== null && memory !== this.#own) this.#leave(memory);
    return this.#own?.read ?? shared;
  }

  /** The packet that comes goes on in other memory. */
  #leave({ joined: [{ buffer }] }: Memory): void {
    const packet = this.#packet;
    if (packet?.buffer !== buffer) return;
    this.#packet = this.#placeToJoin(packet.length) ?? Buffer.allocUnsafe(packet.length);
    this.#packet.set(packet);
  }

  #lend(one: Lent): void {
    lent.push(one);
    if (lent.length > mostLent) lent.shift();
  }

  #mayShow(): boolean {
    const { _decipher, _packetRW } = this.#client._protocol;
    return (
      inPlace.has(_decipher.constructor.name) && _packetRW.read.constructor.name === "PacketReader"
    );
  }

  /** Each, as a key exchange makes a new one in the middle of what was read. */
  #wrapDeciphers(): void {
    const { _protocol: protocol } = this.#client;
    let decipher = protocol._decipher;
    this.#wrap(decipher);
    Object.defineProperty(protocol, "_decipher", {
      get: () => decipher,
      set: (made: Decipher) => {
        decipher = made;
        this.#wrap(made);
      },
    });
  }

  #wrap(decipher: Decipher): void {
    if (inPlace.has(decipher.constructor.name)) this.#joinIn(decipher);
    let taker = decipher._onPayload;
    const give = (payload: Buffer): unknown => this.#give(payload, taker);
    // A key exchange sets another.
    Object.defineProperty(decipher, "_onPayload", {
      get: () => give,
      set: (other: PayloadTaker) => {
        taker = other;
      },
    });
  }

  /** ssh2 takes new memory for a packet that is not there as a whole, if it has none. */
  #joinIn(decipher: Decipher): void {
    this.#packet = decipher._packet;
    Object.defineProperty(decipher, "_packet", {
      get: () => {
        if (this.#reading) this.#packet ??= this.#placeToJoin(decipher._len);
        return this.#packet;
      },
      set: (packet: Uint8Array | null) => {
        this.#packet = packet;
      },
    });
  }

  #give(payload: Buffer, taker: PayloadTaker): unknown {
    if (!this.#reading) return taker(this.#isJoined(payload) ? Buffer.from(payload) : payload);
    const to = taker === this.#client._protocol._onPayload ? this.#placeOf(payload) : null;
    if (to === null) return taker(Buffer.from(payload));
    if (!this.#touched.has(to.sink)) {
      this.#touched.add(to.sink);
      to.sink.cork();
    }
    try {
      return taker(payload);
    } finally {
      if (to.channel.readableLength > 0) this.#kept = true;
    }
  }

  #isJoined({ buffer }: Uint8Array): boolean {
    return buffer === this.#own?.joined[0].buffer;
  }

  /** Null where it has to be copied. */
  #placeOf(payload: Buffer): PassedOn | null {
    if (payload[0] !== channelData || payload.length < leastShownBytes) return null;
    const id = payload.readUInt32BE(1);
    const to = this.#passedOn.get(id);
    if (to === undefined) return null;
    const { channel, sink } = to;
    if (channel.readableFlowing !== true || channel.readableLength > 0) return null;
    // So much memory at most is held by those that wait.
    const waits = sink.writableLength > 0 && !this.#touched.has(sink);
    if (waits && lent.length >= mostLent) return null;
    // A session has its channel within; a number is given again.
    const now = this.#client._chanMgr.get(id) as { readonly _channel?: unknown } | undefined;
    return now === channel || now?._channel === channel ? to : null;
  }
}
