import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import ssh2 from "ssh2";
import { startOpenSsh, type OpenSsh } from "./openssh.ts";

/** What ssh2's client has inside, as far as a client of bad habits needs it. */
interface Insides {
  readonly _protocol: {
    readonly _packetRW: { readonly write: { finalize(payload: Buffer): Buffer } };
    readonly _cipher: { allocPacket(bytes: number): Buffer; encrypt(packet: Buffer): void };
  };
}

/** SSH_MSG_IGNORE (RFC 4253 section 11.2), whatever follows it. */
const ignore = 2;

async function connect({ folder, gateway }: OpenSsh): Promise<ssh2.Client & Insides> {
  const client = new ssh2.Client();
  const ready = once(client, "ready");
  client.on("error", () => undefined);
  const privateKey = await readFile(`${folder}/key`);
  const algorithms = { compress: ["zlib@openssh.com" as const] };
  client.connect({
    ...{ host: "127.0.0.1", port: gateway.port, username: "ws", privateKey },
    algorithms,
  });
  await ready;
  return client as ssh2.Client & Insides;
}

function send({ _protocol: protocol }: Insides, payloadBytes: number): void {
  const payload = Buffer.alloc(payloadBytes);
  payload[0] = ignore;
  protocol._cipher.encrypt(protocol._packetRW.write.finalize(payload));
}

async function answers(client: ssh2.Client): Promise<string> {
  return new Promise((resolve, reject) =>
    client.exec("echo here", (error, channel) => {
      if (error !== undefined) reject(error);
      else channel.on("data", (chunk: Buffer) => resolve(chunk.toString()));
    }),
  );
}

test("a packet that becomes too large when it is inflated ends its connection, and only it", async () => {
  const refusals: string[] = [];
  await using open = await startOpenSsh("ed25519", undefined, {
    onRefusal: (reason) => refusals.push(reason),
  });
  const [good, bad] = [await connect(open), await connect(open)];
  send(good, 60 * 1024);
  expect(await answers(good)).toBe("here\n");
  const closed = once(bad, "close");
  // 16 KiB come of it.
  send(bad, 16 * 1024 * 1024);
  await closed;
  expect(refusals).toEqual(["protocol-error"]);
  expect(await answers(good)).toBe("here\n");
  good.end();
});

test("a packet that nothing can inflate ends its connection, and only it", async () => {
  const refusals: string[] = [];
  await using open = await startOpenSsh("ed25519", undefined, {
    onRefusal: (reason) => refusals.push(reason),
  });
  const [good, bad] = [await connect(open), await connect(open)];
  const closed = once(bad, "close");
  const packet = bad._protocol._cipher.allocPacket(100);
  packet.fill(0xff, 5, 105);
  bad._protocol._cipher.encrypt(packet);
  await closed;
  expect(refusals).toEqual(["protocol-error"]);
  expect(await answers(good)).toBe("here\n");
  good.end();
});
