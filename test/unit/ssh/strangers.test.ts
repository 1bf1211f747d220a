import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import ssh2, { type IdentityCallback, type ParsedKey } from "ssh2";
import {
  ensureHostKeys,
  placeOf,
  startSshGateway,
  type SshGateway,
} from "../../../server/ssh/gateway.ts";
import { isSoundPublicKey } from "../../../server/util/public-key.ts";
import { makeSshKey } from "../../helpers/ssh-key.ts";

/** A gateway whose database holds every key: of a broken one too, from before it was looked at. */
let gateway: SshGateway;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-ssh-"));
  gateway = await startSshGateway({
    host: "127.0.0.1",
    port: 0,
    hostKeys: await ensureHostKeys(folder),
    authenticate: async () => ({ userId: "ada", keyId: "any" }),
    live: { register: () => ({ [Symbol.dispose]: () => undefined }) },
    resolve: () => Promise.reject(new Error("nobody gets as far as this")),
    supervisors: {
      exec: () => Promise.reject(new Error("nobody gets as far as this")),
      direct: () => Promise.reject(new Error("nobody gets as far as this")),
      attach: () => Promise.reject(new Error("nobody gets as far as this")),
      forward: () => Promise.reject(new Error("nobody gets as far as this")),
      listen: () => Promise.reject(new Error("nobody gets as far as this")),
      listenTcp: () => Promise.reject(new Error("nobody gets as far as this")),
      accept: () => Promise.reject(new Error("nobody gets as far as this")),
    },
    log: pino({ level: "silent" }),
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function field(bytes: Buffer | string): Buffer {
  const length = Buffer.alloc(4);
  const body = Buffer.from(bytes);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** A P-256 key whose point is on no curve: OpenSSL cannot verify with it, whatever the signature. */
const offCurve = Buffer.concat([
  field("ecdsa-sha2-nistp256"),
  field("nistp256"),
  field(Buffer.alloc(65, 4)),
]);

/** `ssh-rsa` with a modulus of so many bits. */
function rsa(modulusLength: number): Buffer {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const { e = "", n = "" } = publicKey.export({ format: "jwk" });
  const number = (text: string): Buffer => {
    const bytes = Buffer.from(text, "base64url");
    return field((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
  };
  return Buffer.concat([field("ssh-rsa"), number(e), number(n)]);
}

function parse(type: string, blob: Buffer): ParsedKey {
  return ssh2.utils.parseKey(`${type} ${blob.toString("base64")}`) as ParsedKey;
}

describe("a key with which nothing can be proved", () => {
  it("signs nobody in, whatever stands for its signature", async () => {
    const pair = ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 });
    const own = ssh2.utils.parseKey(pair.private) as ParsedKey;
    class Liar extends ssh2.BaseAgent<ParsedKey> {
      override getIdentities(answer: IdentityCallback<ParsedKey>): void {
        answer(null, [parse("ecdsa-sha2-nistp256", offCurve)]);
      }
      override sign(_key: unknown, data: Buffer, ...rest: unknown[]): void {
        const answer = rest.pop() as (error: null, signature: Buffer) => void;
        answer(null, own.sign(data));
      }
    }
    const client = new ssh2.Client();
    const outcome = once(client, "ready").then(
      () => "signed in",
      (error: Error) => error.message,
    );
    const { port } = gateway;
    client.connect({ host: "127.0.0.1", port, username: "ws", agent: new Liar() });
    expect(await outcome).toContain("authentication methods failed");
    client.end();
  });

  it("is no sound key", () => {
    const pem = (type: string, blob: Buffer): string => parse(type, blob).getPublicPEM();
    expect(isSoundPublicKey(pem("ecdsa-sha2-nistp256", offCurve))).toBe(false);
    expect(isSoundPublicKey(pem("ssh-rsa", rsa(1024)))).toBe(false);
    expect(isSoundPublicKey(pem("ssh-rsa", rsa(2048)))).toBe(true);
    expect(isSoundPublicKey("nonsense")).toBe(false);
    const ecdsa = ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 }).private;
    for (const key of [makeSshKey(), ecdsa]) {
      const parsed = ssh2.utils.parseKey(key) as ParsedKey;
      expect(isSoundPublicKey(parsed.getPublicPEM()), parsed.type).toBe(true);
    }
  });
});

describe("places for strangers", () => {
  async function knock(localAddress: string): Promise<{ socket: Socket; said: string }> {
    const socket = connect({ host: "127.0.0.1", port: gateway.port, localAddress });
    socket.on("error", () => undefined);
    const [said] = (await Promise.race([
      once(socket, "data"),
      once(socket, "close").then(() => [""]),
    ])) as [Buffer | string];
    return { socket, said: said.toString() };
  }

  it("are a few for each address: nobody takes all of them", async () => {
    const many = await Promise.all(Array.from({ length: 40 }, () => knock("127.0.0.1")));
    const let_in = many.filter(({ said }) => said.startsWith("SSH-2.0-Oneloop"));
    expect(let_in).toHaveLength(32);
    const other = await knock("127.0.0.2");
    expect(other.said).toContain("SSH-2.0-Oneloop");
    // One that goes away gives its place back.
    const [first] = let_in;
    first?.socket.destroy();
    for (let said = ""; said === "";) {
      const again = await knock("127.0.0.1");
      ({ said } = again);
      again.socket.destroy();
    }
    for (const { socket } of [...many, other]) socket.destroy();
  });

  it.each([
    ["10.1.2.3", "10.1.2.3"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::1", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
  ])("%s is of %s: of IPv6, a subscriber has a whole /64", (address, place) => {
    expect(placeOf(address)).toBe(place);
  });
});
