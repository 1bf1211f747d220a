import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, Socket, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { readIntoOwnMemory } from "../../../server/util/own-memory.ts";
import { finish, startOpenSsh } from "./openssh.ts";

const mebibyte = 1024 * 1024;

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function digestFrom(child: ChildProcess, input: Buffer): Promise<string> {
  const stdout: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  const closed = once(child, "close");
  child.stdin?.end(input);
  await closed;
  return Buffer.concat(stdout).toString("latin1").slice(0, 64);
}

test("a connection that was accepted reads into the memory that it is told", async () => {
  const memory = [Buffer.alloc(4), Buffer.alloc(8)];
  const read: string[] = [];
  let reads = 0;
  await using server = createServer((socket) => {
    const own = readIntoOwnMemory(socket, {
      onRead: (chunk) => {
        read.push(
          `${memory.findIndex(({ buffer }) => buffer === chunk.buffer)} ${chunk.toString()}`,
        );
        reads += 1;
        return true;
      },
      next: () => memory[reads % 2] ?? Buffer.alloc(0),
    });
    expect(own).toBe(true);
    socket.resume();
    socket.on("end", () => socket.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.end("abcdefghijklmnop");
  client.resume();
  await once(client, "close");
  expect(read).toEqual(["0 abcd", "1 efghijkl", "0 mnop"]);
});

test("what has no such insides is left as it is", () => {
  const untouched = { onRead: () => true, next: () => Buffer.alloc(1) };
  expect(readIntoOwnMemory(new Socket(), untouched)).toBe(false);
  expect(readIntoOwnMemory({} as Socket, untouched)).toBe(false);
});

test.each([
  ["-c", "aes128-gcm@openssh.com"],
  ["-c", "chacha20-poly1305@openssh.com"],
  ["-c", "aes128-ctr"],
])(
  "input that waits for its program is not written over by others' (%s %s)",
  async (...options) => {
    await using open = await startOpenSsh();
    const folder = await mkdtemp(join(tmpdir(), "oneloop-fifos-"));
    const path = join(open.folder, "master");
    const master = open.start(["-M", "-S", path, ...options, "ws@127.0.0.1", "echo ready; cat"]);
    await once(master.stdout, "data");
    const inputs = [0, 1, 2].map(() => randomBytes(12 * mebibyte));
    const fifos = inputs.map((_, at) => join(folder, String(at)));
    // Nothing of their input is read until somebody opens what they wait for.
    const waiting = inputs.map((input, at) => {
      const command = `mkfifo ${fifos[at]} && read line < ${fifos[at]}; sha256sum`;
      return digestFrom(open.start(["-S", path, "ws@127.0.0.1", command]), input);
    });
    const others = [0, 1, 2, 3].map(async (at) => {
      const input = randomBytes(24 * mebibyte);
      const way = at % 2 === 0 ? ["-S", path] : options;
      const digest = await digestFrom(open.start([...way, "ws@127.0.0.1", "sha256sum"]), input);
      return [digest, digestOf(input)];
    });
    for (const [digest, expected] of await Promise.all(others)) expect(digest).toBe(expected);
    const opened = await open.ssh([
      "ws@127.0.0.1",
      `for fifo in ${fifos.join(" ")}; do echo go > $fifo; done`,
    ]);
    expect(opened).toMatchObject({ code: 0, stderr: "" });
    expect(await Promise.all(waiting)).toEqual(inputs.map(digestOf));
    master.stdin.end();
    await once(master, "close");
    await rm(folder, { recursive: true });
  },
);

/** SSH_MSG_NEWKEYS (RFC 4253 section 12): the client's last packet in the clear. */
const newKeys = 21;

/** With less than this, the gateway takes a connection for one of which little comes. */
const largePacketBytes = 16 * 1024;

/** Cuts what a client sends into its packets: those of aes128-gcm have their length in the clear. */
class Packets {
  #rest = Buffer.alloc(0);
  #identified = false;
  #tagBytes = 0;

  *of(chunk: Buffer): Generator<Buffer> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (let bytes = this.#next(); bytes > 0 && bytes <= this.#rest.length; bytes = this.#next()) {
      const packet = this.#rest.subarray(0, bytes);
      this.#rest = this.#rest.subarray(bytes);
      if (!this.#identified) this.#identified = true;
      else if (this.#tagBytes === 0 && packet[5] === newKeys) this.#tagBytes = 16;
      yield packet;
    }
  }

  /** 0: that is not known yet. */
  #next(): number {
    if (!this.#identified) return this.#rest.indexOf("\n") + 1;
    return this.#rest.length < 4 ? 0 : 4 + this.#rest.readUInt32BE() + this.#tagBytes;
  }
}

/**
 * Gives what a client sends on in pieces that end in a packet's tag, each after the one before was
 * read: where the gateway has a packet in hand that it cannot decrypt yet.
 */
async function startCutter(port: number) {
  let pieces = 0;
  const pass = async (client: Socket, gateway: Socket): Promise<void> => {
    const packets = new Packets();
    let held = Buffer.alloc(0);
    for await (const chunk of client as AsyncIterable<Buffer>) {
      for (const packet of packets.of(chunk)) {
        held = Buffer.concat([held, packet]);
        const cut = packet.length < largePacketBytes ? 0 : 1 + (pieces % 16);
        if (cut > 0 && held.length < 4 * largePacketBytes) continue;
        gateway.write(held.subarray(0, held.length - cut));
        held = held.subarray(held.length - cut);
        if (cut === 0) continue;
        pieces += 1;
        // It reads in this process, and rests in between.
        for (let turns = 0; turns < 8; turns += 1) await turn();
      }
    }
    gateway.end();
  };
  const server = createServer((client) => {
    const gateway = connect({ port, host: "127.0.0.1", noDelay: true });
    gateway.pipe(client);
    gateway.on("error", () => client.destroy());
    pass(client, gateway).catch(() => gateway.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    pieces: () => pieces,
    [Symbol.dispose]: () => void server.close(),
  };
}

test("a packet whose tag comes later is kept, whatever is read meanwhile", async () => {
  await using open = await startOpenSsh();
  using cutter = await startCutter(open.gateway.port);
  const input = randomBytes(32 * mebibyte);
  const way = ["-c", "aes128-gcm@openssh.com", "-p", String(cutter.port)];
  const trusting = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
  const child = open.start([...trusting, ...way, ...open.options(), "ws@127.0.0.1", "sha256sum"]);
  const { code, stdout } = await finish(child, input);
  expect(code).toBe(0);
  expect(stdout.toString().slice(0, 64)).toBe(digestOf(input));
  expect(cutter.pieces()).toBeGreaterThan(100);
});
