import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, it } from "vitest";
import { splice } from "../../../server/util/splice.ts";

/** Two connected sockets that keep their half-closes apart. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [far] = (await once(server, "connection")) as [Socket];
  server.close();
  return [near, far];
}

async function spliced(): Promise<{ left: Socket; right: Socket }> {
  const [left, leftInner] = await socketPair();
  const [right, rightInner] = await socketPair();
  splice(leftInner, rightInner);
  return { left, right };
}

/** By events: an async iterator would destroy the socket, and its other direction, at the end. */
async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

it("passes the end of one direction and goes on in the other", async () => {
  const { left, right } = await spliced();
  left.end("question");
  expect((await readAll(right)).toString()).toBe("question");
  right.end("answer after the end of the question");
  expect((await readAll(left)).toString()).toBe("answer after the end of the question");
});

it("loses no byte of a large answer that ends at once", async () => {
  const { left, right } = await spliced();
  const answer = Buffer.alloc(30 * 1024 * 1024, "0123456789");
  right.end(answer);
  left.end();
  expect((await readAll(left)).equals(answer)).toBe(true);
});

it("a side that breaks ends the other", async () => {
  const { left, right } = await spliced();
  left.write("x");
  await once(right, "readable");
  right.resume();
  const broken = once(right, "error");
  left.resetAndDestroy();
  const [error] = (await broken) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
});

it("a side that ends and breaks at once closes the other, and nothing of it is left", async () => {
  const [left, leftInner] = await socketPair();
  const [, rightInner] = await socketPair();
  splice(leftInner, rightInner);
  const closed = new Promise<void>((resolve) => rightInner.on("close", () => resolve()));
  // After splice's own: the end has been passed on, and its packet is not sent yet.
  leftInner.on("end", () => leftInner.destroy(new Error("broken")));
  left.end();
  await closed;
});
