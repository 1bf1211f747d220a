import type { Connection, ServerChannel } from "ssh2";
import { Turns } from "../util/turns.ts";
import type { Compression } from "./compression.ts";
import type { PacketMemory } from "./packet-memory.ts";
import { ReadMemory } from "./read-memory.ts";
import type { Refusal } from "./refusal.ts";
import { Rekeying, type RekeyLimits } from "./rekeying.ts";
import { SharedTurns } from "./shared-turns.ts";
import type { Transport } from "./transport.ts";

/**
 * Encrypted bytes that may wait for the client's TCP connection. ssh2 respects the window of a
 * channel but not the socket: a client with a huge window that reads nothing would fill our memory.
 */
const maxSocketBacklogBytes = 4 * 1024 * 1024;

/** A client that lets this much of answers (to pings, say) wait is ended. */
const maxUnreadAnswersBytes = 16 * 1024 * 1024;

/**
 * ssh2 gives each channel a window of 2 MiB and tops it up from the half; it does not end a client
 * that sends beyond its window. This does.
 */
const maxUnreadInputBytes = 8 * 1024 * 1024;

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: {
    /** What we said in a key exchange that goes on. */
    readonly _kexinit: Buffer | undefined;
  };
}

/** Of all connections. To deflate so much takes a millisecond. */
const deflating = new SharedTurns(32 * 1024);

/** What all channels of one connection share: the socket's back pressure, and the client's limits. */
export class ConnectionFlow {
  readonly input: ReadMemory;
  readonly #socket: Transport;
  readonly #packets: PacketMemory;
  readonly #compression: Compression;
  readonly #protocol: Insides["_protocol"];
  readonly #refused: (reason: Refusal) => void;
  readonly #writers = new Set<ChannelWriter>();
  /** Of those the ones that have output which is not deflated yet. */
  readonly #undeflated = new Set<ChannelWriter>();
  readonly #deflateOn = (): void => this.#deflateNext();
  readonly #channels = new Set<ServerChannel>();
  readonly #rekeying: Rekeying;
  #exchangingKeys = false;

  /** @param options.rekey when the gateway makes new keys, if not as usual. */
  constructor(
    socket: Transport,
    client: Connection,
    options: {
      readonly packets: PacketMemory;
      readonly compression: Compression;
      readonly refused: (reason: Refusal) => void;
      readonly rekey?: RekeyLimits | undefined;
    },
  ) {
    this.#socket = socket;
    this.#packets = options.packets;
    this.#compression = options.compression;
    this.#protocol = (client as Connection & Insides)._protocol;
    this.#refused = options.refused;
    this.input = new ReadMemory(client, socket);
    this.#rekeying = new Rekeying({ client, socket }, options.rekey, () => {
      this.#exchangingKeys = true;
    });
    // A window adjustment has no event of its own; it comes as data, which ssh2 parses before us.
    const turns = new Turns(socket);
    const readOn = (): void => turns.release();
    socket.on("data", (chunk: Buffer) => {
      if (options.compression.waits(readOn)) turns.hold();
      else turns.took(chunk.length);
      this.#rekeying.check();
      this.#enforceLimits();
      this.#flush();
    });
    socket.on("drain", () => this.#flush());
    client.on("rekey", () => {
      this.#exchangingKeys = false;
      this.#flush();
    });
  }

  /** @param onDrain called when `write` returned false and may be called again. */
  writer(channel: ServerChannel, onDrain: () => void): ChannelWriter {
    const writer = new ChannelWriter(channel, this, onDrain);
    this.#writers.add(writer);
    this.#channels.add(channel);
    return writer;
  }

  release(writer: ChannelWriter, channel: ServerChannel): void {
    this.#writers.delete(writer);
    this.#undeflated.delete(writer);
    this.#channels.delete(channel);
  }

  /** How many bytes ssh2 would send on at once; `writer` is flushed when there is room again. */
  room(channel: ServerChannel, writer: ChannelWriter): number {
    if (this.#exchangingKeys || this.#socket.writableLength > maxSocketBacklogBytes) return 0;
    // ssh2 drops what is written after the client's end.
    if (this.#socket.readableEnded) return 0;
    // Not in the types; a plain property of ssh2's Channel.
    const { outgoing } = channel as unknown as { outgoing: { window: number; state: string } };
    if (outgoing.state !== "open") return 0;
    if (!this.#compression.deflates) return outgoing.window;
    const { roomBytes } = deflating;
    if (roomBytes === 0) {
      this.#undeflated.add(writer);
      deflating.wait(this.#deflateOn);
    }
    return Math.min(outgoing.window, roomBytes);
  }

  /** See `PacketMemory.together`. */
  together(send: () => void): void {
    this.#packets.together(send);
  }

  send(stream: NodeJS.WritableStream, bytes: Uint8Array): void {
    if (this.#compression.deflates) deflating.use(bytes.length);
    stream.write(bytes);
    // ssh2 keeps what is written during a key exchange; `rekey` says when it is over.
    if (this.#protocol._kexinit !== undefined) this.#exchangingKeys = true;
    this.#rekeying.check();
  }

  /** Of its channels, too, who waits longest is the first. */
  #deflateNext(): void {
    for (const writer of this.#undeflated) {
      if (deflating.roomBytes === 0) {
        deflating.wait(this.#deflateOn);
        return;
      }
      this.#undeflated.delete(writer);
      writer.flush();
    }
  }

  #flush(): void {
    for (const writer of this.#writers) writer.flush();
  }

  #enforceLimits(): void {
    if (this.#socket.writableLength > maxUnreadAnswersBytes) {
      this.#end("client-does-not-read");
    }
    for (const channel of this.#channels) {
      if (channel.readableLength > maxUnreadInputBytes) {
        this.#end("beyond-window");
      }
    }
  }

  #end(reason: Refusal): void {
    if (this.#socket.destroyed) return;
    this.#refused(reason);
    this.#socket.destroy(new Error(reason));
  }
}

interface Piece {
  readonly to: "stdout" | "stderr";
  bytes: Uint8Array;
}

/**
 * Writes a program's output into an SSH channel, in order, never more than the client's window, its
 * TCP connection and a key exchange let through. ssh2's own queues are not used because they lose
 * and repeat bytes: in ssh2 1.17 a window adjustment serves only one of standard output and standard
 * error, `_chunk` is never cleared (a waiting piece of standard error sends an old piece of standard
 * output again), and ending a channel closes it over standard error that waits.
 */
export class ChannelWriter implements Disposable {
  readonly #channel: ServerChannel;
  readonly #flow: ConnectionFlow;
  readonly #onDrain: () => void;
  readonly #queue: Piece[] = [];
  #heldUp = false;
  #whenEmpty: (() => void)[] = [];

  constructor(channel: ServerChannel, flow: ConnectionFlow, onDrain: () => void) {
    this.#channel = channel;
    this.#flow = flow;
    this.#onDrain = onDrain;
  }

  /**
   * False when the caller should wait for `onDrain`. Until then what was not sent at once stands where
   * it stood, and nothing may be written over it: a copy would be memory outside of JavaScript's heap,
   * and each 64 MiB of that make V8 mark the whole heap.
   */
  write(to: Piece["to"], bytes: Uint8Array): boolean {
    if (bytes.length > 0) {
      this.#queue.push({ to, bytes });
      this.flush();
    }
    this.#heldUp = this.#queue.length > 0;
    return !this.#heldUp;
  }

  /** Calls back, once, when all that was written has been handed to the client's connection. */
  whenEmpty(then: () => void): void {
    if (this.#queue.length === 0) then();
    else this.#whenEmpty.push(then);
  }

  flush(): void {
    if (this.#queue.length > 0) this.#flow.together(() => this.#sendQueue());
    if (this.#queue.length > 0) return;
    for (const then of this.#whenEmpty.splice(0)) then();
    if (this.#heldUp) {
      this.#heldUp = false;
      this.#onDrain();
    }
  }

  #sendQueue(): void {
    for (let piece = this.#queue[0]; piece !== undefined; piece = this.#queue[0]) {
      const length = Math.min(this.#flow.room(this.#channel, this), piece.bytes.length);
      if (length === 0) break;
      const part = piece.bytes.subarray(0, length);
      piece.bytes = piece.bytes.subarray(length);
      if (piece.bytes.length === 0) this.#queue.shift();
      this.#flow.send(piece.to === "stdout" ? this.#channel : this.#channel.stderr, part);
    }
  }

  /** What has not been sent is dropped: the channel is closed. */
  [Symbol.dispose](): void {
    this.#flow.release(this, this.#channel);
    this.#queue.length = 0;
    this.#whenEmpty.length = 0;
    this.#heldUp = false;
  }
}
