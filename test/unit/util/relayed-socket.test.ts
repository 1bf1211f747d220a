import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { connectForRelay, relay, takeReads } from "../../../server/util/relayed-socket.ts";

/** Two connected sockets; the second reads into memory that is used again. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const near = connectForRelay({ port, host: "127.0.0.1" });
  const [far] = (await once(server, "connection")) as [Socket];
  server.close();
  return [far, near];
}

/** The next read of the connection, whose taker goes on with nothing of it. */
function held(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    takeReads(socket, (chunk) => {
      resolve(chunk);
      return false;
    });
  });
}

test("what a taker holds is not written over by another connection, be it little or much", async () => {
  for (const bytes of [10, 100_000]) {
    const [far, near] = await pair();
    const [otherFar, otherNear] = await pair();
    // A first read of much gives each connection memory of its own.
    for (let round = 0; round < 2; round += 1) {
      const reading = held(near);
      far.write(Buffer.alloc(bytes, "a"));
      const kept = await reading;
      const other = held(otherNear);
      otherFar.write(Buffer.alloc(bytes, "b"));
      await other;
      expect(kept.toString()).toBe("a".repeat(kept.length));
    }
    far.destroy();
    otherFar.destroy();
  }
});

test("memory that a connection gave back is of use to the next, and to one at a time", async () => {
  const [far, near] = await pair();
  const sizes: number[] = [];
  const all = async (bytes: number): Promise<void> => {
    let left = bytes;
    const taken = new Promise<void>((resolve) => {
      takeReads(near, (chunk) => {
        sizes.push(chunk.length);
        left -= chunk.length;
        if (left === 0) resolve();
        return true;
      });
    });
    far.write(Buffer.alloc(bytes, "m"));
    await taken;
  };
  await all(1_000_000);
  await all(1);
  const [otherFar, otherNear] = await pair();
  otherFar.write(Buffer.alloc(100_000, "o"));
  await held(otherNear);
  const second = held(otherNear);
  otherFar.write(Buffer.alloc(100_000, "o"));
  const kept = await second;
  await all(1_000_000);
  expect(kept.toString()).toBe("o".repeat(kept.length));
  far.destroy();
  otherFar.destroy();
});

test("what little a taker holds stays where much was read before", async () => {
  const [far, near] = await pair();
  const [otherFar, otherNear] = await pair();
  const taken = (socket: Socket, bytes: number): Promise<void> =>
    new Promise((resolve) => {
      let left = bytes;
      takeReads(socket, ({ length }) => {
        left -= length;
        if (left === 0) resolve();
        return true;
      });
    });
  const much = taken(near, 200_000);
  far.write(Buffer.alloc(200_000, "m"));
  await much;
  const reading = held(near);
  far.write(Buffer.alloc(10, "a"));
  const kept = await reading;
  for (let round = 0; round < 2; round += 1) {
    const others = taken(otherNear, 200_000);
    otherFar.write(Buffer.alloc(200_000, "b"));
    await others;
  }
  expect(kept.toString()).toBe("a".repeat(10));
  far.destroy();
  otherFar.destroy();
});

test("nothing is read while the gate is closed, also when what waited was written", async () => {
  const [source, from] = await pair();
  const [to, reader] = await pair();
  let passed = 0;
  const gate = {
    open: true,
    passed: (bytes: number): void => {
      passed += bytes;
      // Once the reader's connection is full.
      if (to.writableLength > 0) gate.open = false;
    },
    opened: (): void => undefined,
    onOpen: (opened: () => void): void => {
      gate.opened = opened;
    },
  };
  const bytes = 64 * 1024 * 1024;
  source.end(Buffer.alloc(bytes));
  relay(from, to, gate);
  await expect.poll(() => gate.open, { timeout: 30_000 }).toBe(false);
  const before = passed;
  let received = 0;
  takeReads(reader, (chunk) => {
    received += chunk.length;
    return true;
  });
  await expect.poll(() => received, { timeout: 30_000 }).toBe(before);
  await setTimeout(50);
  expect({ passed, received }).toEqual({ passed: before, received: before });
  gate.open = true;
  gate.passed = (more) => {
    passed += more;
  };
  gate.opened();
  await once(reader, "end");
  expect({ passed, received }).toEqual({ passed: bytes, received: bytes });
});
