import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import ssh2 from "ssh2";
import { Compression } from "../../../server/ssh/compression.ts";
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

  /** Of `ssh -R`, with a port that the gateway chooses. */
  async forwardIn(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#client.forwardIn("localhost", 0, (error, port) =>
        error === undefined ? resolve(port) : reject(error),
      ),
    );
  }

  onConnection(serve: (channel: ssh2.ClientChannel) => void): void {
    this.#client.on("tcp connection", (_info, accept) => serve(accept()));
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

  test("where many packets that come at once become more than all windows", async () => {
    const send = (bad: Client): void => {
      for (let at = 0; at < 1000; at += 1) bad.ignore(60 * 1024);
    };
    expect(await refused(send)).toEqual(["protocol-error"]);
  });
});

/** ssh2's own, with which both sides of a connection compress. */
interface Zlib {
  readonly ZlibPacketReader: new () => { read(payload: Buffer): Buffer };
  readonly ZlibPacketWriter: new (protocol: object) => { finalize(payload: Buffer): Buffer };
}

/** @returns what the gateway makes of a packet of so many bytes, by a client that compresses. */
function makeInflating(): (bytes: number) => Buffer {
  const { ZlibPacketReader, ZlibPacketWriter } = createRequire(import.meta.url)(
    "ssh2/lib/protocol/zlib.js",
  ) as Zlib;
  const packets = { read: {} as InstanceType<Zlib["ZlibPacketReader"]>, write: {} };
  const insides = { _protocol: { _packetRW: packets }, _chanMgr: { _count: 0 } };
  const client = insides as unknown as ssh2.Connection;
  const compression = new Compression(client);
  packets.read = new ZlibPacketReader();
  const deflater = new ZlibPacketWriter({
    _cipher: { allocPacket: (bytes: number) => Buffer.alloc(5 + bytes) },
  });
  const deflate = (payload: Buffer): Buffer => deflater.finalize(payload).subarray(5);
  return (bytes) => {
    const inflated = packets.read.read(deflate(Buffer.alloc(bytes)));
    expect(compression.takeInflated()).toBe(bytes);
    return inflated;
  };
}

test("a packet that waits for its program holds its own bytes, and no more", () => {
  const read = makeInflating();
  expect([1, 10, 20_000].map((bytes) => read(bytes).buffer.byteLength)).toEqual([1, 10, 20_000]);
});

test("packets of 60 KiB, some of them at once, and much input in all, are taken", async () => {
  await using open = await startOpenSsh();
  using client = await Client.connect(open);
  for (let at = 0; at < 30; at += 1) client.ignore(60 * 1024);
  const channel = await client.exec("wc -c");
  const said = once(channel.setEncoding("utf8"), "data");
  channel.end(Buffer.alloc(40 * 1024 * 1024));
  expect(await said).toEqual([`${40 * 1024 * 1024}\n`]);
});

test("full windows of channels that were opened from inside the workspace are taken at once", async () => {
  await using open = await startOpenSsh();
  using client = await Client.connect(open);
  const channels: ssh2.ClientChannel[] = [];
  client.onConnection((channel) => {
    channels.push(channel);
    if (channels.length < 4) return;
    client.together(() => channels.forEach((one) => one.end(Buffer.alloc(2 * 1024 * 1024))));
  });
  const port = await client.forwardIn();
  const received = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      let bytes = 0;
      for await (const chunk of createConnection(port, "127.0.0.1"))
        bytes += (chunk as Buffer).length;
      return bytes;
    }),
  );
  expect(received).toEqual(Array(4).fill(2 * 1024 * 1024));
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
  bad.forwardIn().catch(() => undefined);
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
