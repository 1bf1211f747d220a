import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { connectForRelay } from "../../../server/util/relayed-socket.ts";
import { splice } from "../../../server/util/splice.ts";
import { type Connect, socketPair } from "../../helpers/socket-pair.ts";

async function spliced(join: Connect): Promise<{ left: Socket; right: Socket }> {
  const [left, leftInner] = await socketPair();
  const [right, rightInner] = await socketPair(join);
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

describe.each<[string, Connect]>([
  ["a stream", connect],
  ["one that reads into a buffer of its own", connectForRelay],
])("two sockets, the second %s,", (_, join) => {
  it("passes the end of one direction and goes on in the other", async () => {
    const { left, right } = await spliced(join);
    left.end("question");
    expect((await readAll(right)).toString()).toBe("question");
    right.end("answer after the end of the question");
    expect((await readAll(left)).toString()).toBe("answer after the end of the question");
  });

  it("loses no byte of a large answer that ends at once", async () => {
    const { left, right } = await spliced(join);
    const answer = Buffer.alloc(30 * 1024 * 1024, "0123456789");
    right.end(answer);
    left.end();
    expect((await readAll(left)).equals(answer)).toBe(true);
  });

  it("a side that breaks ends the other", async () => {
    const { left, right } = await spliced(join);
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
    const [, rightInner] = await socketPair(join);
    splice(leftInner, rightInner);
    const closed = new Promise<void>((resolve) => rightInner.on("close", () => resolve()));
    // After splice's own: the end has been passed on, and its packet is not sent yet.
    leftInner.on("end", () => leftInner.destroy(new Error("broken")));
    left.end();
    await closed;
  });

  it("lose no byte between sides of which none waits for the other", async () => {
    const { left, right } = await spliced(join);
    const chunks = Array.from({ length: 300 }, (_unused, at) => Buffer.alloc(1 + at * 700, at));
    // In pieces, with a pause of the reader now and then: the buffer is read into again and again.
    const read: Buffer[] = [];
    left.on("data", (chunk: Buffer) => {
      read.push(chunk);
      if (read.length % 7 !== 0) return;
      left.pause();
      setImmediate(() => left.resume());
    });
    for (const chunk of chunks) if (!right.write(chunk)) await once(right, "drain");
    right.end();
    await once(left, "end");
    expect(Buffer.concat(read).equals(Buffer.concat(chunks))).toBe(true);
  });

  it("hold the sender while the reader does not read", async () => {
    const { left, right } = await spliced(join);
    const much = Buffer.alloc(64 * 1024 * 1024, 7);
    right.end(much);
    // What the kernel and the way take is far less; the question passes the other way meanwhile.
    left.write("still there?");
    const [question] = (await once(right, "data")) as [Buffer];
    expect(question.toString()).toBe("still there?");
    expect(right.writableLength).toBeGreaterThan(much.length / 2);
    expect((await readAll(left)).equals(much)).toBe(true);
  });
});
