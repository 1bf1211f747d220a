import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listenerAt } from "../../helpers/listener-at.ts";
import { SshWorkspace } from "../../helpers/ssh-workspace.ts";

/** Said when a test fails; give it to see the same bytes again. */
const seed = Number(process.env["ONELOOP_FUZZ_SEED"] ?? Date.now() % 1_000_000);
/** Connections of each kind: some seconds of them. */
const rounds = Number(process.env["ONELOOP_FUZZ_ROUNDS"] ?? 150);

let open: SshWorkspace;
let pid: number;
beforeAll(async () => {
  open = await SshWorkspace.start();
  pid = await listenerAt(open.oneloop.sshPort);
});
afterAll(() => open[Symbol.asyncDispose]());

/** A small generator with a seed (mulberry32): the same run again. */
function randoms(start: number): { below(limit: number): number; bytes(count: number): Buffer } {
  let state = start >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return { below, bytes: (count) => Buffer.from(Array.from({ length: count }, () => below(256))) };
}

/** It serves, and it is the same process. */
async function standsStill(): Promise<void> {
  const { exitCode } = await open.ssh("exit 3");
  expect(exitCode, `seed ${seed}\n${open.oneloop.log()}`).toBe(3);
  expect(await listenerAt(open.oneloop.sshPort)).toBe(pid);
}

async function rssMiB(): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

async function openFiles(): Promise<number> {
  const { readdir } = await import("node:fs/promises");
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** What the owner reads at /metrics, by reason. */
async function refusals(): Promise<Record<string, number>> {
  const folder = open.oneloop.env["ONELOOP_CONFIG_DIR"] ?? "";
  const token = /oneloop_[\w-]+/.exec(await readFile(join(folder, "config.json"), "utf8"))?.[0];
  const url = `http://127.0.0.1:${open.oneloop.port}/metrics`;
  expect((await fetch(url)).status).toBe(401);
  const text = await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text();
  const lines = text.matchAll(/^oneloop_ssh_refusals_total\{reason="([\w-]+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, reason, count]) => [reason ?? "", Number(count)]));
}

function dial(): Socket {
  const socket = connect(open.oneloop.sshPort, "127.0.0.1");
  socket.on("error", () => undefined);
  return socket.resume();
}

const closed = (socket: Socket | ssh2.Client): Promise<void> =>
  new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });

/** What ssh2 1.17 has inside a client, as far as it is used to say what no client says. */
interface Insides {
  readonly _protocol: {
    readonly _cipher: { encrypt(packet: Buffer): void };
    readonly _packetRW: {
      readonly write: {
        readonly allocStart: number;
        alloc(payloadBytes: number): Buffer;
        finalize(packet: Buffer): Buffer;
      };
    };
  };
}

/** Sends any payload, well encrypted. */
function send(client: ssh2.Client, payload: Buffer): void {
  const { _cipher, _packetRW } = (client as unknown as Insides)._protocol;
  const packet = _packetRW.write.alloc(payload.length);
  payload.copy(packet, _packetRW.write.allocStart);
  _cipher.encrypt(_packetRW.write.finalize(packet));
}

async function signedIn(): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  client.on("error", () => undefined);
  const ready = new Promise<void>((resolve, reject) => {
    client.on("ready", resolve).on("close", () => reject(new Error("closed")));
  });
  client.connect({
    ...{ host: "127.0.0.1", port: open.oneloop.sshPort, username: open.ws.name },
    privateKey: await readFile(join(open.folder, "key")),
  });
  await ready;
  return client;
}

const text = (value: string | Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
};
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** SSH_MSG_CHANNEL_OPEN of a session (RFC 4254 section 5.1). */
function openSession(channel: number, window: number, packet: number): Buffer {
  const sizes = [number(channel), number(window), number(packet)];
  return Buffer.concat([Buffer.from([90]), text("session"), ...sizes]);
}

/** SSH_MSG_CHANNEL_REQUEST (RFC 4254 section 5.4). */
function request(channel: number, type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from([98]), number(channel), text(type), Buffer.from([1]), body]);
}

test("anything before the key exchange: it is counted, and the gateway goes on", async () => {
  const before = await refusals();
  const random = randoms(seed);
  for (let round = 0; round < rounds; round += 1) {
    const socket = dial();
    const ended = closed(socket);
    const greeting = random.below(3) === 0 ? "" : "SSH-2.0-fuzz\r\n";
    // Sometimes a length, a padding and a KEXINIT's number that look right.
    const start = random.below(2) === 0 ? [number(random.below(40_000)), Buffer.from([8, 20])] : [];
    const noise = random.bytes(1 + random.below(3000));
    socket.end(Buffer.concat([Buffer.from(greeting), ...start, noise]));
    await ended;
  }
  await standsStill();
  const after = await refusals();
  expect(after["protocol-error"]).toBeGreaterThan(before["protocol-error"] ?? 0);
});

test("any packet of who is signed in, whole and in pieces, ends at most its own connection", async () => {
  const random = randoms(seed + 1);
  for (let round = 0; round < rounds / 10; round += 1) {
    const client = await signedIn();
    const ended = closed(client);
    for (let packet = 0; packet < 60; packet += 1) {
      const known = [1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 50, 60, 80, 81, 82, 90, 91, 92, 93, 94, 95];
      const type = random.below(2) === 0 ? random.below(256) : 90 + random.below(11);
      const kind = random.below(3) === 0 ? (known[random.below(known.length)] ?? 0) : type;
      // Small numbers, so that some of them are channels that there are.
      const ids = Buffer.concat([number(random.below(3)), number(random.below(5))]);
      send(client, Buffer.concat([Buffer.from([kind]), ids, random.bytes(random.below(200))]));
    }
    client.end();
    await ended;
  }
  await standsStill();
});

test("requests out of order, for channels that are not, and before an open is confirmed", async () => {
  const client = await signedIn();
  const ended = closed(client);
  for (const channel of [0, 7, 0xffffffff]) {
    for (const type of [
      "exec",
      "shell",
      "pty-req",
      "env",
      "window-change",
      "signal",
      "subsystem",
    ]) {
      send(client, request(channel, type, text("true")));
    }
  }
  // The open, and at once what is for the channel that it will become.
  send(client, openSession(0, 1024, 1024));
  send(client, request(0, "exec", text("exit 0")));
  send(client, request(0, "exec", text("exit 0")));
  send(client, request(0, "shell"));
  // Data, end and close, twice, and once more.
  for (const type of [94, 96, 97, 97, 96]) {
    const body = type === 94 ? text("late") : Buffer.alloc(0);
    send(client, Buffer.concat([Buffer.from([type]), number(0), body]));
  }
  client.end();
  await ended;
  await standsStill();
});

test.each([
  [0, 1024],
  [0xffffffff, 0xffffffff],
  [1, 1024],
])("an absurd window (%d, packets of %d): nothing is sent beyond it", async (window, packet) => {
  const before = await rssMiB();
  const client = await signedIn();
  const ended = closed(client);
  send(client, openSession(0, window, packet));
  send(client, request(0, "exec", text("head -c 3000000 /dev/zero")));
  // The sum of a window and an adjustment may be beyond 2^32 - 1.
  send(client, Buffer.concat([Buffer.from([93]), number(0), number(0xffffffff)]));
  // What came before this has been seen.
  await standsStill();
  client.end();
  await ended;
  expect((await rssMiB()) - before).toBeLessThan(150);
});

test.each([0, 1, 1023])("who takes packets of %d bytes at most is ended", async (packet) => {
  const before = await refusals();
  const client = await signedIn();
  const ended = closed(client);
  send(client, openSession(0, 0xffffffff, packet));
  send(client, request(0, "exec", text("head -c 3000000 /dev/zero")));
  await ended;
  expect((await refusals())["tiny-packets"]).toBe((before["tiny-packets"] ?? 0) + 1);
  await standsStill();
});

test("10,000 opens of channels: a few are taken, the others refused, all counted", async () => {
  const before = await refusals();
  const client = await signedIn();
  const ended = closed(client);
  for (let channel = 0; channel < 10_000; channel += 1) send(client, openSession(channel, 0, 1024));
  await standsStill();
  const after = await refusals();
  expect((after["too-many-channels"] ?? 0) - (before["too-many-channels"] ?? 0)).toBe(10_000 - 256);
  client.end();
  await ended;
  await standsStill();
});

test("who sends beyond their window is ended", async () => {
  const before = await refusals();
  const client = await signedIn();
  const ended = closed(client);
  send(client, openSession(0, 1024 * 1024, 32_768));
  // It reads nothing.
  send(client, request(0, "exec", text("sleep 1000")));
  const data = Buffer.concat([Buffer.from([94]), number(0), text(randomBytes(30_000))]);
  for (let sent = 0; sent < 64 * 1024 * 1024; sent += data.length) send(client, data);
  await ended;
  expect((await refusals())["beyond-window"]).toBe((before["beyond-window"] ?? 0) + 1);
  await standsStill();
});

test("who sends a packet in the midst of a strict key exchange is cut off", async () => {
  const socket = dial();
  const ended = closed(socket);
  socket.write("SSH-2.0-terrapin\r\n");
  await once(socket, "data");
  const names = [
    ["curve25519-sha256", "kex-strict-c-v00@openssh.com"].join(","),
    "ssh-ed25519",
    ...["chacha20-poly1305@openssh.com", "chacha20-poly1305@openssh.com"],
    ...["hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""],
  ];
  const cookie = Buffer.alloc(16, 1);
  const end = Buffer.alloc(5);
  const kexInit = Buffer.concat([Buffer.from([20]), cookie, ...names.map(text), end]);
  const ignore = Buffer.concat([Buffer.from([2]), text("the attacker's")]);
  const before = await refusals();
  socket.write(Buffer.concat([plain(kexInit), plain(ignore)]));
  await ended;
  expect((await refusals())["protocol-error"]).toBe((before["protocol-error"] ?? 0) + 1);
});

/** A packet before there are keys (RFC 4253 section 6). */
function plain(payload: Buffer): Buffer {
  const padding = 8 - ((payload.length + 5) % 8) + 8;
  const head = Buffer.concat([number(payload.length + padding + 1), Buffer.from([padding])]);
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}

test("hundreds of connections that come and go leave nothing behind", async () => {
  const comeAndGo = async (): Promise<void> => {
    for (let round = 0; round < 10; round += 1) {
      const some = Array.from({ length: 10 }, async () => {
        const client = await signedIn();
        const ended = closed(client);
        client.exec("true", () => client.destroy());
        await ended;
      });
      await Promise.all(some);
    }
  };
  await comeAndGo();
  await standsStill();
  const before = { files: await openFiles(), rss: await rssMiB() };
  await comeAndGo();
  await comeAndGo();
  await standsStill();
  expect(await openFiles()).toBeLessThan(before.files + 20);
  expect((await rssMiB()) - before.rss).toBeLessThan(64);
});
