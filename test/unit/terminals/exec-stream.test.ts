import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { encodeFrame, FrameType } from "../../../server/protocol/frames.ts";
import { ExecStream } from "../../../server/terminals/exec-stream.ts";

/** A stream from a supervisor that says these bytes and keeps the connection. */
async function streamOf(...frames: Uint8Array[]): Promise<ExecStream & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(Buffer.concat(frames));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => socket.destroy());
  await once(socket, "connect");
  return Object.assign(new ExecStream(socket, Buffer.alloc(0)), {
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      server.close();
      await once(server, "close");
    },
  });
}

it("gives output and exit as the supervisor says them", async () => {
  await using stream = await streamOf(
    encodeFrame(FrameType.stdout, "out"),
    encodeFrame(FrameType.exit, '{"code":3,"signal":null,"error":null}'),
  );
  const { exit, stdout } = await stream.collect();
  expect(exit).toEqual({ code: 3, signal: null, error: null });
  expect(stdout.toString()).toBe("out");
});

it.each(["{nonsense", "", "null", '{"code":"0"}', '{"code":1e999,"signal":null,"error":null}'])(
  "an exit that says %j is a failure, and no wait without an end",
  async (payload) => {
    await using stream = await streamOf(encodeFrame(FrameType.exit, payload));
    const { exit } = await stream.collect();
    expect(exit).toEqual({ code: null, signal: null, error: expect.any(String) as string });
  },
);

it("a frame that nobody knows ends the stream as a failure", async () => {
  await using stream = await streamOf(encodeFrame(99 as FrameType, "x"));
  expect((await stream.collect()).exit).toMatchObject({ code: null, error: expect.any(String) });
});
