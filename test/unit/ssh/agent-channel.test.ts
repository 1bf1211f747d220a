import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { makeSshKey } from "../../helpers/ssh-key.ts";
import ssh2, { type Connection, type IdentityCallback, type ParsedKey } from "ssh2";
import { announced, openAgentChannel } from "../../../server/ssh/agent-channel.ts";

/** The agent of a client; `null`: it cannot be reached. */
type Reach = () => Duplex | null;

class TestAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #reach: Reach;

  constructor(reach: Reach) {
    super();
    this.#reach = reach;
  }

  override getIdentities(answer: IdentityCallback<ParsedKey>): void {
    answer(null, []);
  }

  override sign(): void {
    throw new Error("nobody asks for it");
  }

  override getStream(answer: (error: Error | null, stream?: Duplex) => void): void {
    const stream = this.#reach();
    if (stream === null) answer(new Error("no agent"));
    else answer(null, stream);
  }
}

/** Both ends of a connection whose client has asked for forwarding; nothing of Oneloop's. */
async function connected(reach: Reach) {
  const hostKey = makeSshKey();
  const server = new ssh2.Server({ hostKeys: [hostKey] });
  const came = once(server, "connection");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new ssh2.Client();
  client.on("error", () => undefined);
  const ready = once(client, "ready");
  client.connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    username: "ada",
    agent: new TestAgent(reach),
    agentForward: true,
  });
  const [connection] = (await came) as [Connection];
  connection.on("error", () => undefined);
  connection.on("authentication", (context) => context.accept());
  const asked = new Promise<void>((resolve) => {
    connection.on("session", (accept) => {
      const session = accept();
      session.on("auth-agent", (accept) => {
        accept();
        resolve();
      });
      session.on("exec", (accept) => accept());
    });
  });
  await ready;
  client.exec("x", () => undefined);
  await asked;
  return {
    client,
    connection,
    async [Symbol.asyncDispose]() {
      client.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

test("the channel's size is what ssh2 counts by", () => {
  const channel = createRequire(import.meta.url)("ssh2/lib/Channel.js") as Record<string, number>;
  expect(announced).toEqual({
    windowBytes: channel["MAX_WINDOW"],
    packetBytes: channel["PACKET_SIZE"],
  });
});

test("a client with an agent gives a channel to it; more than a window passes", async () => {
  await using ends = await connected(() => new PassThrough());
  const channel = await openAgentChannel(ends.connection);
  const bytes = randomBytes(3 * announced.windowBytes);
  const pieces: Buffer[] = [];
  const echoed = new Promise<void>((resolve) => {
    let size = 0;
    channel.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size >= bytes.length) resolve();
    });
  });
  channel.write(bytes);
  await echoed;
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
});

test("two at once are two", async () => {
  await using ends = await connected(() => new PassThrough());
  const { connection } = ends;
  const [one, two] = await Promise.all([
    openAgentChannel(connection),
    openAgentChannel(connection),
  ]);
  one.write("one");
  two.write("two");
  expect(String((await once(one, "data"))[0])).toBe("one");
  expect(String((await once(two, "data"))[0])).toBe("two");
});

test("a client that refuses is an error, and the connection goes on", async () => {
  let there = false;
  await using ends = await connected(() => (there ? new PassThrough() : null));
  await expect(openAgentChannel(ends.connection)).rejects.toThrow("open failure");
  there = true;
  await openAgentChannel(ends.connection);
});

test("a client that goes away instead of answering is an error", async () => {
  await using ends = await connected(() => {
    ends.client.destroy();
    return new PassThrough();
  });
  await expect(openAgentChannel(ends.connection)).rejects.toThrow("No response");
});
