import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import ssh2, { type ClientChannel } from "ssh2";
import { startOpenSsh, type OpenSsh } from "./openssh.ts";

let open: OpenSsh;
beforeAll(async () => {
  open = await startOpenSsh();
});
afterAll(() => open[Symbol.asyncDispose]());

type Opened = (error: Error | undefined, channel: ClientChannel) => void;

/** What ssh2's client has inside, as far as a client of odd habits needs it. */
interface Insides {
  readonly _chanMgr: { add(opened: Opened): number };
  readonly _protocol: {
    session(channel: number, windowBytes: number, packetBytes: number): void;
    exec(channel: number, command: string, wantReply: boolean): void;
    channelWindowAdjust(channel: number, bytes: number): void;
  };
}

async function connect(): Promise<{ client: ssh2.Client; insides: Insides }> {
  const client = new ssh2.Client();
  const ready = once(client, "ready");
  // The gateway closes at once after the client's goodbye, also over what is underway.
  client.on("error", () => undefined);
  const privateKey = await readFile(`${open.folder}/key`);
  client.connect({ host: "127.0.0.1", port: open.gateway.port, username: "ws", privateKey });
  await ready;
  return { client, insides: client as unknown as Insides };
}

/** Opens a session, and sends what `more` sends without waiting for the answer. */
function openSession(
  { _chanMgr: channels, _protocol: protocol }: Insides,
  more: (channel: number) => void,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const opened = Object.assign(
      (error: Error | undefined, channel: ClientChannel) => {
        if (error === undefined) resolve(channel);
        else reject(error);
      },
      { type: "session" },
    );
    const id = channels.add(opened);
    protocol.session(id, 2 * 1024 * 1024, 32 * 1024);
    more(id);
  });
}

async function outputOf(channel: ClientChannel): Promise<string> {
  let text = "";
  channel.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(channel, "close");
  return text;
}

test("a request that comes before its channel is confirmed is served", async () => {
  const { client, insides } = await connect();
  // A gateway numbers its channels from 0 on, as every server does.
  const channel = await openSession(insides, (id) => {
    insides._protocol.exec(id, "echo early", false);
  });
  expect(await outputOf(channel)).toBe("early\n");
  client.end();
});

test("a request for a channel that nobody opened changes nothing", async () => {
  const { client, insides } = await connect();
  insides._protocol.exec(99, "echo never", true);
  const channel = await openSession(insides, (id) => {
    insides._protocol.exec(id, "echo here", false);
  });
  expect(await outputOf(channel)).toBe("here\n");
  client.end();
});

test("one channel runs one program: a second is not started, and the first goes on", async () => {
  const { client, insides } = await connect();
  const channel = await openSession(insides, (id) => {
    insides._protocol.exec(id, "cat", false);
    insides._protocol.exec(id, "echo second", false);
  });
  const output = outputOf(channel);
  channel.end("first\n");
  expect(await output).toBe("first\n");
  client.end();
});

test("a signal that comes before its program runs is not lost", async () => {
  const { client, insides } = await connect();
  const channel = await openSession(insides, (id) => {
    insides._protocol.exec(id, "exec sleep 300", false);
  });
  const ended = once(channel, "exit");
  channel.signal("TERM");
  expect((await ended).slice(0, 2)).toEqual([null, "SIGTERM"]);
  client.end();
});

test.each(["INT", "TERM", "HUP", "KILL", "USR1", "QUIT"])(
  "SIG%s reaches the program, and is what ended it",
  async (name) => {
    const { client, insides } = await connect();
    const channel = await openSession(insides, (id) => {
      insides._protocol.exec(id, "echo up; exec sleep 300", false);
    });
    await once(channel, "data");
    const ended = once(channel, "exit");
    channel.signal(name);
    expect((await ended).slice(0, 2)).toEqual([null, `SIG${name}`]);
    client.end();
  },
);
