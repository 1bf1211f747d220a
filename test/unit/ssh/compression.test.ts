import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { createRequire } from "node:module";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import ssh2 from "ssh2";
import { Compression } from "../../../server/ssh/compression.ts";
import { StreamTransport } from "../../../server/ssh/transport.ts";
import { startOpenSsh, type OpenSsh } from "./openssh.ts";

/** What ssh2's client has inside, as far as a client of bad habits needs it. */
interface Insides {
  readonly _sock: Socket;
  readonly _protocol: {
    readonly _packetRW: { readonly write: { finalize: (payload: Buffer) => Buffer } };
    readonly _cipher: { allocPacket(bytes: number): Buffer; encrypt(packet: Buffer): void };
  };
}

/** Signed in, and compressed both ways. */
class Client implements Disposable {
  readonly #client: ssh2.Client & Insides;
  readonly closed: Promise<void>;

  private constructor(client: ssh2.Client) {
    this.#client = client as ssh2.Client & Insides;
    this.closed = new Promise((resolve) => client.once("close", () => resolve()));
    const { _sock: socket, _protocol: protocol } = this.#client;
    const drop = (): void => {
      protocol._packetRW.write.finalize = ({ length }) => protocol._cipher.allocPacket(length);
    };
    // ssh2's client throws where it writes after its end, as its server does.
    socket.prependListener("end", drop);
    socket.prependListener("close", drop);
  }

  static async connect({ folder, gateway: { port } }: OpenSsh): Promise<Client> {
    const client = new ssh2.Client();
    const ready = once(client, "ready");
    const privateKey = await readFile(`${folder}/key`);
    client.connect({
      ...{ host: "127.0.0.1", port, username: "ws", privateKey },
      algorithms: { compress: ["zlib@openssh.com"] },
    });
    await ready;
    client.on("error", () => undefined);
    return new Client(client);
  }

  /** SSH_MSG_IGNORE (RFC 4253 section 11.2) of so many bytes. */
  ignore(payloadBytes: number): void {
    const { _cipher: cipher, _packetRW: packets } = this.#client._protocol;
    const payload = Buffer.alloc(payloadBytes);
    payload[0] = 2;
    cipher.encrypt(packets.write.finalize(payload));
  }

  /** A packet that was not deflated. */
  sendPlain(payload: Buffer): void {
    const { _cipher: cipher } = this.#client._protocol;
    const packet = cipher.allocPacket(payload.length);
    packet.set(payload, 5);
    cipher.encrypt(packet);
  }

  async exec(command: string): Promise<ssh2.ClientChannel> {
    return new Promise((resolve, reject) =>
      this.#client.exec(command, (error, channel) =>
        error === undefined ? resolve(channel) : reject(error),
      ),
    );
  }

  async output(command: string): Promise<string> {
    const channel = await this.exec(command);
    let output = "";
    channel.setEncoding("utf8").on("data", (words: string) => (output += words));
    await once(channel, "close");
    return output;
  }

  forwardIn(): void {
    this.#client.forwardIn("localhost", 0, () => undefined);
  }

  /** What `write` sends arrives in one read, if it is not much. */
  together(write: () => void): void {
    this.#client._sock.cork();
    write();
    this.#client._sock.uncork();
  }

  /** Nothing more is sent; what comes is still read. */
  halfClose(): void {
    this.#client._sock.end();
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}

describe("a connection ends, and only it,", () => {
  const refused = async (send: (bad: Client) => Promise<void> | void): Promise<string[]> => {
    const refusals: string[] = [];
    await using open = await startOpenSsh("ed25519", undefined, {
      onRefusal: (reason) => refusals.push(reason),
    });
    using good = await Client.connect(open);
    using bad = await Client.connect(open);
    await send(bad);
    await bad.closed;
    expect(await good.output("echo here")).toBe("here\n");
    return refusals;
  };

  test("where a packet becomes too large when it is inflated", async () => {
    // The gateway gets 1 KiB of it.
    expect(await refused((bad) => bad.ignore(1024 * 1024))).toEqual(["protocol-error"]);
  });

  test("where nothing can inflate it", async () => {
    expect(await refused((bad) => bad.sendPlain(Buffer.alloc(100, 0xff)))).toEqual([
      "protocol-error",
    ]);
  });
});

/** ssh2's own, with which both sides of a connection compress. */
const zlib = createRequire(import.meta.url)("ssh2/lib/protocol/zlib.js") as {
  readonly ZlibPacketReader: new () => { read(payload: Buffer): Buffer };
  readonly ZlibPacketWriter: new (protocol: object) => { finalize(payload: Buffer): Buffer };
};

/** The number of a packet that stands for a key exchange: from here on there is compression. */
const newKeys = 255;

/** The inside of a connection; ssh2's parser by numbers, each of which is a packet of 100 bytes. */
class Inside implements Disposable {
  readonly compression: Compression;
  readonly socket = new StreamTransport(new PassThrough(), {});
  /** Which packets ssh2 was given, by their numbers. */
  readonly parsed: number[] = [];
  readonly #packets: { read: { read(payload: Buffer): Buffer }; write: object };
  readonly #writer: { finalize(payload: Buffer): Buffer };

  constructor() {
    const cipher = { allocPacket: (bytes: number) => Buffer.alloc(5 + bytes) };
    this.#writer = new zlib.ZlibPacketWriter({ _cipher: cipher });
    this.#packets = { read: { read: (payload) => payload }, write: {} };
    const protocol = {
      _packetRW: this.#packets,
      _parse: (chunk: Buffer, from: number, to: number) => this.#parse(chunk, from, to),
      parse: () => undefined,
    };
    this.compression = new Compression(
      { _protocol: protocol } as unknown as ssh2.Connection,
      this.socket,
    );
    const parse: (chunk: Buffer, from: number, to: number) => void = protocol.parse;
    this.socket.on("data", (chunk: Buffer) => parse(chunk, 0, chunk.length));
  }

  begin(): void {
    this.#packets.read = new zlib.ZlibPacketReader();
  }

  /** @returns what becomes of a packet of so many bytes. */
  read(bytes: number): Buffer {
    return this.#packets.read.read(this.#writer.finalize(Buffer.alloc(bytes)).subarray(5));
  }

  /** All in one read, in memory that is used again after it: packets of 60 KB that were deflated. */
  receive(numbers: readonly number[]): void {
    const chunk = Buffer.alloc(numbers.length * 100);
    for (const [at, number] of numbers.entries()) chunk[at * 100] = number;
    this.socket.emit("data", chunk);
    chunk.fill(0);
  }

  #parse(chunk: Buffer, from: number, to: number): number | undefined {
    for (let at = from; at < to; at += 1) {
      const number = chunk[at] ?? 0;
      if (number === 0) continue;
      this.parsed.push(number);
      if (number === newKeys) {
        this.begin();
        return at + 1;
      }
      this.read(60_000);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

test("a packet that waits for its program holds its own bytes, and no more", () => {
  using inside = new Inside();
  inside.begin();
  const sizes = [1, 10, 20_000];
  expect(sizes.map((bytes) => inside.read(bytes).buffer.byteLength)).toEqual(sizes);
});

test("what becomes much when it is inflated is parsed in turns of all connections", async () => {
  // What the tests before have left of this turn.
  await turn();
  using one = new Inside();
  using other = new Inside();
  const numbers = Array.from({ length: 25 }, (_, at) => at + 1);
  const turns: number[][] = [];
  for (const { socket, compression } of [one, other]) {
    socket.on("data", () => {
      const rests = compression.waits(() => socket.resume());
      expect(socket.isPaused()).toBe(rests);
      turns.push([one.parsed.length, other.parsed.length]);
    });
  }
  other.begin();
  one.receive([newKeys, ...numbers]);
  other.receive(numbers);
  while (one.parsed.length + other.parsed.length < 51) await turn();
  // Slices of 1 KiB; the first began behind the new keys.
  expect(turns).toEqual([
    [11, 0],
    [11, 0],
    [21, 0],
    [21, 11],
    [26, 11],
    [26, 21],
    [26, 25],
  ]);
  expect(one.parsed).toEqual([newKeys, ...numbers]);
  expect(other.parsed).toEqual(numbers);
});

test("what becomes 60 MiB at once, and much input after it, is taken", async () => {
  await using open = await startOpenSsh();
  using client = await Client.connect(open);
  client.together(() => Array.from({ length: 1000 }, () => client.ignore(60 * 1024)));
  const channel = await client.exec("wc -c");
  const said = once(channel.setEncoding("utf8"), "data");
  channel.end(Buffer.alloc(40 * 1024 * 1024));
  expect(await said).toEqual([`${40 * 1024 * 1024}\n`]);
});

test("who half-closes over output costs nobody else anything", async () => {
  await using open = await startOpenSsh();
  using good = await Client.connect(open);
  using bad = await Client.connect(open);
  const channel = await bad.exec("cat /dev/urandom");
  await once(channel, "data");
  bad.halfClose();
  await bad.closed;
  expect(await good.output("echo here")).toBe("here\n");
});

test("who half-closes before a forward is refused costs nobody else anything", async () => {
  const steps = new EventEmitter();
  const asked = once(steps, "asked");
  await using open = await startOpenSsh("ed25519", () => ({
    listenTcp: async () => {
      steps.emit("asked");
      await once(steps, "go on");
      throw new Error("the workspace has gone");
    },
  }));
  using good = await Client.connect(open);
  using bad = await Client.connect(open);
  bad.forwardIn();
  await asked;
  bad.halfClose();
  await bad.closed;
  steps.emit("go on");
  expect(await good.output("echo here")).toBe("here\n");
});

test("a small answer comes between much output of the same connection, and of others", async () => {
  await using open = await startOpenSsh();
  using client = await Client.connect(open);
  using other = await Client.connect(open);
  for (const one of [client, client, other]) (await one.exec("cat /dev/zero")).resume();
  expect(await client.output("echo here")).toBe("here\n");
});
