import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  encodeCredit,
  encodeFrame,
  frameHeader,
  FrameType,
} from "../../../server/protocol/frames.ts";
import { forwardBytes } from "../../../server/util/relayed-socket.ts";
import { machineAddress } from "../../helpers/ports.ts";
import { testSupervisor } from "./harness.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
let servers: Server[] = [];
beforeEach(async () => {
  supervisor = await testSupervisor();
});
afterEach(async () => {
  for (const server of servers) server.close();
  servers = [];
  await supervisor[Symbol.asyncDispose]();
});

async function serve(host: string, onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // A test is over before all of it came.
    socket.on("error", () => socket.destroy());
    onConnection(socket);
  });
  servers.push(server);
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function all(socket: Socket, rest: Buffer): Promise<Buffer> {
  const chunks = [rest];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("bytes pass both ways, and a half-closed direction leaves the other open", async () => {
  // Answers only after the end of the question: without half-close nothing would come.
  const port = await serve("127.0.0.1", (socket) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => socket.end(Buffer.concat([Buffer.from("echo:"), ...chunks])));
  });
  const { status, socket, rest } = await supervisor.dial({ port });
  expect(status).toBe(101);
  const question = randomBytes(5 * 1024 * 1024);
  socket.end(question);
  const answer = await all(socket, rest);
  expect(answer.equals(Buffer.concat([Buffer.from("echo:"), question]))).toBe(true);
});

test("localhost is ::1 too", async () => {
  const port = await serve("::1", (socket) => socket.end("six"));
  const { socket, rest } = await supervisor.dial({ host: "localhost", port });
  expect((await all(socket, rest)).toString()).toBe("six");
});

test("localhost is the machine's own address too", async () => {
  const host = machineAddress();
  const port = await serve(host, (socket) => socket.end(`at ${host}`));
  const { socket, rest } = await supervisor.dial({ port });
  expect((await all(socket, rest)).toString()).toBe(`at ${host}`);
});

test("a path is a unix socket, from the home folder on", async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.end("by path"));
  servers.push(server);
  server.listen(join(supervisor.home, "here.sock"));
  await once(server, "listening");
  for (const path of ["here.sock", join(supervisor.home, "here.sock")]) {
    const { status, socket, rest } = await supervisor.dial({ path });
    expect(status).toBe(101);
    expect((await all(socket, rest)).toString()).toBe("by path");
    socket.end();
  }
  expect((await supervisor.dial({ path: "nowhere.sock" })).status).toBe(502);
});

test("where nobody listens, the answer is 502 with a sentence", async () => {
  const port = await serve("127.0.0.1", () => undefined);
  servers.pop()?.close();
  const { status, socket, rest } = await supervisor.dial({ port });
  expect(status).toBe(502);
  const answer = JSON.parse((await all(socket, rest)).toString()) as { message: string };
  expect(answer.message).toContain(`localhost:${port}`);
  expect(answer.message).toContain("ECONNREFUSED");
});

test("a client that is cut off ends the connection inside", async () => {
  let reportEnd: (code: string | undefined) => void;
  const insideEnded = new Promise<string | undefined>((resolve) => {
    reportEnd = resolve;
  });
  const port = await serve("127.0.0.1", (socket) => {
    socket.on("error", (error: NodeJS.ErrnoException) => reportEnd(error.code));
    socket.resume();
    socket.write("hello");
  });
  const { socket, rest } = await supervisor.dial({ port });
  if (rest.length === 0) await once(socket, "readable");
  socket.resetAndDestroy();
  expect(await insideEnded).toBe("ECONNRESET");
});

describe("with a window", () => {
  const window = 64 * 1024;
  /** A supervisor stops after the read that takes the last of a window. */
  const most = window + forwardBytes;

  /** What came, and a wait for more than so much of it. */
  function reader(socket: Socket, rest: Buffer) {
    const state = { bytes: rest.length, chunks: [rest], onMore: (): void => undefined };
    socket.on("data", (chunk: Buffer) => {
      state.bytes += chunk.length;
      state.chunks.push(chunk);
      state.onMore();
    });
    // A listener alone does not wake a socket that was paused.
    socket.resume();
    return {
      state,
      atLeast: (bytes: number) =>
        new Promise<void>((resolve) => {
          state.onMore = () => {
            if (state.bytes >= bytes) resolve();
          };
          state.onMore();
        }),
    };
  }

  const input = (bytes: Buffer): Buffer =>
    Buffer.concat([frameHeader(FrameType.stdin, bytes.length), bytes]);

  test("no more comes than the window and a read, and with credit all of it", async () => {
    const sent = randomBytes(8 * 1024 * 1024);
    const port = await serve("127.0.0.1", (socket) => socket.end(sent));
    const { head, socket, rest } = await supervisor.dial({ port, window });
    expect(head.toString()).toContain("Upgrade: oneloop-window\r\n");
    const { state, atLeast } = reader(socket, rest);
    await atLeast(window);
    // Long enough for all of it.
    await setTimeout(300);
    expect(state.bytes).toBeLessThan(most);
    for (let read = 0; read < sent.length;) {
      socket.write(encodeCredit(state.bytes - read));
      read = state.bytes;
      await atLeast(Math.min(read + 1, sent.length));
    }
    expect(Buffer.concat(state.chunks).equals(sent)).toBe(true);
  });

  test("credit beyond the window is none", async () => {
    const port = await serve("127.0.0.1", (socket) => socket.write(Buffer.alloc(8 * 1024 * 1024)));
    const { socket, rest } = await supervisor.dial({ port, window });
    const { state, atLeast } = reader(socket, rest);
    for (let round = 0; round < 10; round += 1) socket.write(encodeCredit(2 ** 32 - 1));
    await atLeast(window);
    await setTimeout(300);
    // Credit came before anything was sent, or after the first of it.
    expect(state.bytes).toBeLessThan(11 * most);
    socket.destroy();
  });

  test("frames arrive as their bytes, and after the end of input no credit is needed", async () => {
    const port = await serve("127.0.0.1", (socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("end", () => socket.end(Buffer.concat([Buffer.from("echo:"), ...chunks])));
    });
    const { socket, rest } = await supervisor.dial({ port, window });
    const question = randomBytes(5 * 1024 * 1024);
    for (let at = 0; at < question.length; at += 500_000) {
      socket.write(input(question.subarray(at, at + 500_000)));
    }
    socket.end();
    const answer = await all(socket, rest);
    expect(answer.equals(Buffer.concat([Buffer.from("echo:"), question]))).toBe(true);
  });

  test("what comes with the request is its first frame", async () => {
    const port = await serve("127.0.0.1", (socket) => socket.pipe(socket));
    const early = input(Buffer.from("early, "));
    const { socket, rest } = await supervisor.dial({ port, window }, early);
    socket.end(input(Buffer.from("late")));
    expect((await all(socket, rest)).toString()).toBe("early, late");
  });

  test("who takes input only after its output is gone needs no credit until then", async () => {
    const size = 32 * 1024 * 1024;
    const port = await serve("127.0.0.1", (socket) => {
      socket.pause();
      socket.write(Buffer.alloc(size, "o"), () => {
        let left = size;
        socket.on("data", (chunk) => {
          left -= chunk.length;
          if (left === 0) socket.write(Buffer.alloc(size, "x"));
        });
        socket.resume();
      });
    });
    const { socket, rest } = await supervisor.dial({ port, window });
    const { state, atLeast } = reader(socket, rest);
    // More than the kernel keeps for one who does not read: credit would stand behind it.
    for (let at = 0; at < size; at += 1024 * 1024) socket.write(input(Buffer.alloc(1024 * 1024)));
    await atLeast(size);
    // It takes input again, and the window holds as before.
    socket.write(encodeCredit(size));
    await atLeast(size + window);
    await setTimeout(300);
    expect(state.bytes).toBeLessThan(size + most);
    socket.destroy();
  });

  test("a frame that nobody knows ends the connection, inside too", async () => {
    let inside: Promise<unknown> | undefined;
    const port = await serve("127.0.0.1", (socket) => {
      socket.resume();
      inside = once(socket, "end");
    });
    const { socket } = await supervisor.dial({ port, window });
    socket.write(encodeFrame(FrameType.hangup));
    socket.resume();
    await once(socket, "end");
    await inside;
  });
});
