import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Connection, ServerChannel } from "ssh2";
import { ConnectionFlow, type ChannelWriter } from "../../../server/ssh/connection-flow.ts";
import type { Compression } from "../../../server/ssh/compression.ts";
import type { PacketMemory } from "../../../server/ssh/packet-memory.ts";
import { StreamTransport } from "../../../server/ssh/transport.ts";

interface Rig extends Disposable {
  readonly flow: ConnectionFlow;
  readonly socket: StreamTransport;
  /** To what the client sends. */
  readonly stream: PassThrough;
  /** Where ssh2 says that a key exchange goes on. */
  readonly protocol: { _kexinit: Buffer | undefined };
  readonly client: EventEmitter;
}

function makeRig(compression: Partial<Compression> = {}): Rig {
  const protocol = { _kexinit: undefined };
  const client = Object.assign(new EventEmitter(), { _protocol: protocol });
  const stream = new PassThrough();
  const socket = new StreamTransport(stream, {});
  const flow = new ConnectionFlow(socket, client as unknown as Connection, {
    packets: { together: (send: () => void) => send() } as PacketMemory,
    compression: { deflates: false, waits: () => false, ...compression } as Compression,
    refused: () => undefined,
  });
  return { flow, socket, stream, protocol, client, [Symbol.dispose]: () => socket.destroy() };
}

interface Output extends Disposable {
  readonly writer: ChannelWriter;
  /** KiB that ssh2 was given. */
  readonly given: number;
}

/** A channel, and what is written into it. */
function open({ flow }: Rig): Output {
  let bytes = 0;
  const channel = {
    outgoing: { window: 1024 * 1024, state: "open" },
    write: ({ length }: Uint8Array) => (bytes += length),
  } as unknown as ServerChannel;
  const writer = flow.writer(channel, () => undefined);
  return {
    writer,
    get given() {
      return bytes / 1024;
    },
    [Symbol.dispose]: () => writer[Symbol.dispose](),
  };
}

const kibibytes = (count: number): Buffer => Buffer.alloc(count * 1024);

test("of what is written during a key exchange ssh2 keeps one piece, and the rest waits", () => {
  using rig = makeRig();
  using output = open(rig);
  rig.protocol._kexinit = Buffer.alloc(1);
  output.writer.write("stdout", kibibytes(1));
  expect(output.writer.write("stdout", kibibytes(2))).toBe(false);
  expect(output.given).toBe(1);
  rig.protocol._kexinit = undefined;
  rig.client.emit("rekey");
  expect(output.given).toBe(3);
});

test("nothing is written after the client's end", async () => {
  using rig = makeRig();
  using output = open(rig);
  const ended = once(rig.socket, "end");
  rig.stream.end();
  await ended;
  expect(output.writer.write("stdout", kibibytes(1))).toBe(false);
  expect(output.given).toBe(0);
});

test("what is deflated is given on in turns of all connections, and of the channels of each", async () => {
  using rig = makeRig({ deflates: true });
  using other = makeRig({ deflates: true });
  const outputs = [
    { output: open(rig), bytes: kibibytes(96) },
    { output: open(rig), bytes: kibibytes(32) },
    { output: open(other), bytes: kibibytes(64) },
  ];
  for (const { output, bytes } of outputs) output.writer.write("stdout", bytes);
  const given = (): number[] => outputs.map(({ output }) => output.given);
  const turns = [given()];
  for (const _ of [1, 2, 3, 4, 5]) {
    await turn();
    turns.push(given());
  }
  expect(turns).toEqual([
    [32, 0, 0],
    [64, 0, 0],
    [64, 0, 32],
    [64, 32, 32],
    [64, 32, 64],
    [96, 32, 64],
  ]);
});

test("a channel that is closed has no turn", async () => {
  // The one before has used up this one.
  await turn();
  using rig = makeRig({ deflates: true });
  const outputs = [open(rig), open(rig), open(rig)] as const;
  for (const { writer } of outputs) writer.write("stdout", kibibytes(32));
  outputs[1][Symbol.dispose]();
  await turn();
  expect(outputs.map(({ given }) => given)).toEqual([32, 0, 32]);
});

test("what is not deflated is given on at once", () => {
  using rig = makeRig();
  using output = open(rig);
  expect(output.writer.write("stdout", kibibytes(512))).toBe(true);
  expect(output.given).toBe(512);
});

test("the rest of a read that waits for others is read when it is its turn", async () => {
  const waiting: (() => void)[] = [];
  using rig = makeRig({
    waits: (goOn) => {
      if (waiting.length > 0) return false;
      waiting.push(goOn);
      return true;
    },
  });
  let reads = 0;
  rig.socket.on("data", () => (reads += 1));
  rig.stream.write("one");
  await turn();
  rig.stream.write("two");
  await turn();
  expect([reads, rig.socket.isPaused()]).toEqual([1, true]);
  for (const goOn of waiting) goOn();
  await turn();
  expect([reads, rig.socket.isPaused()]).toEqual([2, false]);
});
