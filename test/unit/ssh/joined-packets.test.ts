import { EventEmitter, once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { Connection, ServerChannel } from "ssh2";
import { expect, test, vi } from "vitest";
import { ReadMemory, type Sink } from "../../../server/ssh/read-memory.ts";

const channelData = 94;
const channelId = 7;
const headBytes = 5;
const packetBytes = 32_000;

/** As ssh2's of this name, of packets that are not encrypted: a length, and so many bytes. */
class AESGCMDecipherBinding {
  _onPayload: (payload: Buffer) => unknown = () => undefined;
  _packet: Uint8Array | null = null;
  _len = 0;
  #lengthBytes = 0;
  #at = 0;

  decrypt(data: Buffer): void {
    for (let at = 0; at < data.length;) {
      if (this.#lengthBytes < 4) {
        this._len = this._len * 256 + (data[at] ?? 0);
        this.#lengthBytes += 1;
        at += 1;
        continue;
      }
      const part = data.subarray(at, at + this._len - this.#at);
      if (part.length === this._len) this._packet = part;
      else {
        if (!this._packet) this._packet = Buffer.allocUnsafe(this._len);
        this._packet.set(part, this.#at);
      }
      at += part.length;
      this.#at += part.length;
      if (this.#at === this._len) this.#give();
    }
  }

  #give(): void {
    const { buffer, byteOffset, length } = this._packet ?? new Uint8Array();
    this._packet = null;
    this._len = this.#lengthBytes = this.#at = 0;
    this._onPayload(Buffer.from(buffer, byteOffset, length));
  }
}

class Channel extends EventEmitter {
  readonly incoming = { id: channelId };
  readonly readableFlowing = true;
  readonly readableLength = 0;
}

/** Keeps what it is given where it stands, until it is told to let go. */
class Holder implements Sink {
  readonly closed = false;
  readonly bytes: number[] = [];
  bytesWritten = 0;
  writableLength = 0;
  #held: Uint8Array[] = [];

  cork(): void {}
  uncork(): void {}

  take(piece: Uint8Array): void {
    this.#held.push(piece);
    this.bytesWritten += piece.length;
    this.writableLength += piece.length;
  }

  /** Says of each piece which byte it is all of; -1: of none. */
  letGo(): number[] {
    const all = this.#held.map((piece) => {
      const [first = -1] = piece;
      return piece.every((byte) => byte === first) ? first : -1;
    });
    this.#held = [];
    this.writableLength = 0;
    return all;
  }
}

/** A connection of packets of one byte each, which comes in whatever pieces. */
class Sender {
  readonly holder = new Holder();
  readonly found: number[] = [];
  /** What is read goes through the stream's buffer, as where it does not flow. */
  detour = false;
  #sent = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #packets = 0;
  readonly #from: Socket;
  readonly #to: Socket;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    const channel = new Channel();
    const decipher = new AESGCMDecipherBinding();
    const onPayload = (payload: Buffer): void => this.holder.take(payload.subarray(headBytes));
    decipher._onPayload = onPayload;
    const client = {
      _chanMgr: { get: () => channel },
      _protocol: {
        _decipher: decipher,
        _onPayload: onPayload,
        _packetRW: { read: { constructor: { name: "PacketReader" } } },
      },
    };
    Object.defineProperty(to, "readableFlowing", { get: () => !this.detour });
    to.on("data", (chunk: Buffer) => decipher.decrypt(chunk));
    const memory = new ReadMemory(client as unknown as Connection, to);
    memory.passOn(channel as unknown as ServerChannel, this.holder);
  }

  async send(bytes: number): Promise<void> {
    while (this.#bytes.length < bytes) {
      const packet = Buffer.alloc(4 + packetBytes, this.#packets % 251);
      packet.writeUInt32BE(packetBytes);
      packet[4] = channelData;
      packet.writeUInt32BE(channelId, 5);
      this.#packets += 1;
      this.#bytes = Buffer.concat([this.#bytes, packet]);
    }
    this.#from.write(this.#bytes.subarray(0, bytes));
    this.#bytes = this.#bytes.subarray(bytes);
    this.#sent += bytes;
    while (this.#to.bytesRead < this.#sent) await turn();
  }

  letGo(): void {
    this.found.push(...this.holder.letGo());
  }

  end(): void {
    this.#from.destroy();
  }
}

async function startSender(): Promise<Sender> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const from = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [to] = (await once(server, "connection")) as [Socket];
  server.close();
  return new Sender(from, to);
}

/** The same numbers each time, from 0 to below 1 (Lehmer's). */
function numbers(): () => number {
  let state = 42;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

test("packets that reads share come whole, whatever waits and whoever reads meanwhile", async () => {
  const next = numbers();
  const senders = [await startSender(), await startSender(), await startSender()];
  for (let step = 0; step < 1500; step += 1) {
    const sender = senders[Math.floor(next() * senders.length)];
    const much = next() < 0.8;
    if (sender !== undefined) sender.detour = next() < 0.1;
    await sender?.send(1 + Math.floor(next() * (much ? 300_000 : 200)));
    if (next() < 0.6) senders[Math.floor(next() * senders.length)]?.letGo();
  }
  for (const sender of senders) {
    sender.letGo();
    expect(sender.found).toEqual(sender.found.map((_, at) => at % 251));
    expect(sender.found.length).toBeGreaterThan(1000);
    sender.end();
  }
});

test("packets that reads share take no new memory while much comes", async () => {
  const sender = await startSender();
  for (let round = 0; round < 4; round += 1) await sender.send(300_000);
  const taken = vi.spyOn(Buffer, "allocUnsafe");
  for (let round = 0; round < 50; round += 1) {
    sender.letGo();
    await sender.send(300_000);
  }
  const large = taken.mock.calls.filter(([bytes]) => bytes === packetBytes);
  taken.mockRestore();
  expect(large).toEqual([]);
  sender.end();
});
