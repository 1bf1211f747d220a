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
interface Zlib {
  readonly ZlibPacketReader: new () => { read(payload: Buffer): Buffer };
  readonly ZlibPacketWriter: new (protocol: object) => { finalize(payload: Buffer): Buffer };
}

/** The inside of a connection whose client compresses. */
class Inside implements Disposable {
  readonly compression: Compression;
  readonly socket: StreamTransport;
  /** Which packets ssh2 was given, by their numbers. */
  readonly parsed: number[] = [];
  readonly #stream = new PassThrough();
  readonly #reader: { read(payload: Buffer): Buffer };
  readonly #writer: { finalize(payload: Buffer): Buffer };

  constructor() {
    const zlib = createRequire(import.meta.url)("ssh2/lib/protocol/zlib.js") as Zlib;
    const packets = { read: {}, write: {} };
    const protocol = {
      _packetRW: packets,
      parse: (chunk: Buffer, from: number, to: number) => this.#parse(chunk.subarray(from, to)),
    };
    const client = { _protocol: protocol } as unknown as ssh2.Connection;
    this.socket = new StreamTransport(this.#stream, {});
    this.compression = new Compression(client, this.socket);
    // As after the sign-in.
    this.#reader = new zlib.ZlibPacketReader();
    packets.read = this.#reader;
    const cipher = { allocPacket: (bytes: number) => Buffer.alloc(5 + bytes) };
    this.#writer = new zlib.ZlibPacketWriter({ _cipher: cipher });
    this.socket.on("data", (chunk: Buffer) => protocol.parse(chunk, 0, chunk.length));
  }

  /** @returns what becomes of a packet of so many bytes. */
  read(bytes: number): Buffer {
    return this.#reader.read(this.#writer.finalize(Buffer.alloc(bytes)).subarray(5));
  }

  /** All at once: packets of 60 KB each, that have 100 bytes when they are deflated. */
  send(packets: number): void {
    const chunk = Buffer.alloc(packets * 100);
    for (let number = 1; number <= packets; number += 1) chunk[number * 100 - 1] = number;
    this.#stream.write(chunk);
  }

  #parse(bytes: Buffer): void {
    for (const number of bytes.filter((byte) => byte > 0)) {
      this.read(60_000);
      this.parsed.push(number);
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

test("a packet that waits for its program holds its own bytes, and no more", () => {
  using inside = new Inside();
  const sizes = [1, 10, 20_000];
  expect(sizes.map((bytes) => inside.read(bytes).buffer.byteLength)).toEqual(sizes);
  expect(inside.compression.takeInflated()).toBe(20_011);
  expect(inside.compression.takeInflated()).toBe(0);
});

test("what becomes much when it is inflated is parsed in turns", async () => {
  using inside = new Inside();
  const { compression, parsed, socket } = inside;
  const turns: [parsed: number, rests: boolean][] = [];
  socket.on("data", () => {
    turns.push([parsed.length, socket.isPaused()]);
    compression.takeInflated();
    setImmediate(() => socket.resume());
  });
  inside.send(100);
  while (parsed.length < 100) await turn();
  // 4 KiB at a time.
  expect(turns).toEqual([
    [40, true],
    [81, true],
    [100, false],
  ]);
  expect(parsed).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
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
