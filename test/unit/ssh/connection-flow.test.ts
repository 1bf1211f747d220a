import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Connection, ServerChannel } from "ssh2";
import { ConnectionFlow } from "../../../server/ssh/connection-flow.ts";
import type { PacketMemory } from "../../../server/ssh/packet-memory.ts";
import { StreamTransport } from "../../../server/ssh/transport.ts";

interface Rig extends AsyncDisposable {
  readonly client: EventEmitter & { readonly _protocol: { _kexinit: Buffer | undefined } };
  readonly flow: ConnectionFlow;
  readonly channel: ServerChannel;
  /** KiB that ssh2 was given. */
  given(): number;
}

/** @param packetWriter by the name that ssh2 has for it. */
function makeRig(packetWriter: string): Rig {
  const write = { constructor: { name: packetWriter } };
  const _protocol = { _kexinit: undefined as Buffer | undefined, _packetRW: { write } };
  const client = Object.assign(new EventEmitter(), { _protocol });
  const packets = { together: (send: () => void) => send() } as PacketMemory;
  const socket = new StreamTransport(new PassThrough(), {});
  let given = 0;
  const channel = {
    outgoing: { window: 1024 * 1024, state: "open" },
    readableLength: 0,
    write: (bytes: Uint8Array) => (given += bytes.length),
  } as unknown as ServerChannel;
  return {
    client,
    channel,
    flow: new ConnectionFlow(socket, client as unknown as Connection, {
      packets,
      refused: () => undefined,
    }),
    given: () => given / 1024,
    async [Symbol.asyncDispose]() {
      const closed = once(socket, "close");
      socket.destroy();
      await closed;
    },
  };
}

/** @returns how many KiB of 100 were given on at once, and after each of three turns of the event loop. */
async function givenAfterTurns(packetWriter: string): Promise<number[]> {
  await using rig = makeRig(packetWriter);
  let drained = false;
  using writer = rig.flow.writer(rig.channel, () => (drained = true));
  const wasTaken = writer.write("stdout", Buffer.alloc(100 * 1024));
  const after = [rig.given()];
  for (const _ of [1, 2, 3]) {
    await turn();
    after.push(rig.given());
  }
  expect(drained).toBe(!wasTaken);
  return after;
}

test("what is deflated is given on in turns, with all others between them", async () => {
  expect(await givenAfterTurns("ZlibPacketWriter")).toEqual([32, 64, 96, 100]);
});

test("what is not is given on at once", async () => {
  expect(await givenAfterTurns("PacketWriter")).toEqual([100, 100, 100, 100]);
});

test("of what is written during a key exchange ssh2 keeps one piece, and the rest waits", async () => {
  await using rig = makeRig("PacketWriter");
  using writer = rig.flow.writer(rig.channel, () => undefined);
  rig.client._protocol._kexinit = Buffer.alloc(1);
  writer.write("stdout", Buffer.alloc(10 * 1024));
  expect(writer.write("stdout", Buffer.alloc(10 * 1024))).toBe(false);
  expect(rig.given()).toBe(10);
  rig.client._protocol._kexinit = undefined;
  rig.client.emit("rekey");
  expect(rig.given()).toBe(20);
});
