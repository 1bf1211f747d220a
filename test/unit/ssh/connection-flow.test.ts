import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { Connection, ServerChannel } from "ssh2";
import { ConnectionFlow } from "../../../server/ssh/connection-flow.ts";
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

/** @param takeInflated what a read has become. */
function makeRig(takeInflated = () => 0): Rig {
  const protocol = { _kexinit: undefined };
  const client = Object.assign(new EventEmitter(), { _protocol: protocol });
  const stream = new PassThrough();
  const socket = new StreamTransport(stream, {});
  const flow = new ConnectionFlow(socket, client as unknown as Connection, {
    packets: { together: (send: () => void) => send() } as PacketMemory,
    compression: { deflates: false, takeInflated } as Compression,
    refused: () => undefined,
  });
  return { flow, socket, stream, protocol, client, [Symbol.dispose]: () => socket.destroy() };
}

test("of what is written during a key exchange ssh2 keeps one piece, and the rest waits", () => {
  using rig = makeRig();
  let given = 0;
  const channel = {
    outgoing: { window: 1024 * 1024, state: "open" },
    write: ({ length }: Uint8Array) => (given += length),
  } as unknown as ServerChannel;
  using writer = rig.flow.writer(channel, () => undefined);
  rig.protocol._kexinit = Buffer.alloc(1);
  writer.write("stdout", Buffer.alloc(10));
  expect(writer.write("stdout", Buffer.alloc(20))).toBe(false);
  expect(given).toBe(10);
  rig.protocol._kexinit = undefined;
  rig.client.emit("rekey");
  expect(given).toBe(30);
});

test("after what has become much when it was inflated it is the others' turn", async () => {
  let inflated = 100 * 1024;
  using rig = makeRig(() => inflated);
  const rests = async (): Promise<boolean> => {
    const read = once(rig.socket, "data");
    rig.stream.write("a few bytes");
    await read;
    return rig.socket.isPaused();
  };
  expect(await rests()).toBe(false);
  inflated = 200 * 1024;
  expect(await rests()).toBe(true);
});
