import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import ssh2 from "ssh2";
import { describe, expect, it } from "vitest";
import { makeSshKey } from "../../helpers/ssh-key.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { WrongKeys } from "../../../server/ssh/wrong-keys.ts";
import type { SshGatewayOptions } from "../../../server/ssh/options.ts";
import { startOpenSsh, type OpenSsh } from "./openssh.ts";

function startWith(settings: Partial<SshGatewayOptions>): Promise<OpenSsh> {
  return startOpenSsh("ed25519", () => ({}), settings);
}

describe("what is refused", () => {
  it("is told in a sentence to who has a security key, and counted", async () => {
    const refused: string[] = [];
    await using open = await startWith({ onRefusal: (why) => refused.push(why) });
    await using agent = await startAgentWithSecurityKey(open.folder);
    // The agent's keys, and no file's; and a banner is shown from this level on.
    const other = { "IdentitiesOnly=yes": "IdentitiesOnly=no", "LogLevel=ERROR": "LogLevel=INFO" };
    const options = open
      .options("none", agent.path)
      .map((option) => (option in other ? other[option as keyof typeof other] : option));
    const { code, stderr } = await open.ssh([...options, "ws@127.0.0.1", "true"]);
    expect(code).toBe(255);
    expect(stderr).toContain("oneloop: Keys of security keys (sk-…) cannot be used here.");
    expect(refused).toContain("security-key");
  });

  it("is told in a sentence to whom nobody can look up now", async () => {
    await using open = await startWith({
      authenticate: () => Promise.reject(new OneloopError("database-unavailable", "It is away.")),
    });
    const { code, stderr } = await open.ssh([
      ...open.options().map((option) => (option === "LogLevel=ERROR" ? "LogLevel=INFO" : option)),
      ...["-F", "none", "ws@127.0.0.1", "true"],
    ]);
    expect([code, stderr]).toEqual([255, expect.stringContaining("oneloop: It is away.")]);
  });

  it("is a password, however it is asked for", async () => {
    const refused: string[] = [];
    await using open = await startWith({ onRefusal: (why) => refused.push(why) });
    const client = new ssh2.Client();
    client.connect({
      ...{ host: "127.0.0.1", port: open.gateway.port, username: "ws", password: "secret" },
      tryKeyboard: true,
    });
    await closed(client);
    expect(new Set(refused)).toEqual(new Set(["password"]));
  });

  it("is who does not sign in in time, with or without a key exchange", async () => {
    const refused: string[] = [];
    const gateway = { onRefusal: (why: string) => refused.push(why), loginGraceMs: 300 };
    await using open = await startWith(gateway);
    const slow = connect(open.gateway.port, "127.0.0.1");
    slow.on("error", () => undefined);
    slow.write("SSH-2.0-slow");
    slow.resume();
    await once(slow, "close");
    expect(refused).toEqual(["handshake-too-slow"]);
    const client = new ssh2.Client();
    // It gets as far as its keys, and never says whether it has one.
    const authHandler = (): void => undefined;
    client.connect({ ...address(open.gateway.port), authHandler });
    await closed(client);
    expect(refused).toEqual(["handshake-too-slow", "login-too-slow"]);
  });

  it.each([
    // More than a packet may have.
    [64 * 1024, "protocol-error"],
    [32 * 1024, "long-user-name"],
    [257, "long-user-name"],
  ])("is a user name of %d bytes", async (length, reason) => {
    const refused: string[] = [];
    await using open = await startWith({ onRefusal: (why) => refused.push(why) });
    const client = new ssh2.Client();
    const username = "n".repeat(length);
    client.connect({ ...address(open.gateway.port), username, password: "x" });
    await closed(client);
    expect(refused).toEqual([reason]);
    expect((await open.ssh(["ws@127.0.0.1", "exit 3"])).code).toBe(3);
  });

  it("are new connections of an address with many wrong keys, for a while, and no live one", async () => {
    let now = 1_000_000;
    const refused: string[] = [];
    const onRefusal = (why: string): void => void refused.push(why);
    await using open = await startWith({ onRefusal, clock: { now: () => now } });
    const live = open.start(["ws@127.0.0.1", "echo ready; cat"]);
    await once(live.stdout, "data");
    const privateKey = makeSshKey();
    while (!refused.includes("wrong-keys-near")) {
      const client = new ssh2.Client();
      client.connect({ ...address(open.gateway.port), privateKey });
      await closed(client);
    }
    expect(refused.filter((why) => why === "unknown-key")).toHaveLength(30);
    expect((await open.ssh(["ws@127.0.0.1", "true"])).code).toBe(255);
    const echoed = once(live.stdout, "data");
    live.stdin.write("still here\n");
    expect(String((await echoed)[0])).toBe("still here\n");
    now += 60_000;
    expect((await open.ssh(["ws@127.0.0.1", "exit 3"])).code).toBe(3);
    live.stdin.end();
    await once(live, "close");
  });

  it("wrong keys are remembered for so many places, the latest", () => {
    const wrongKeys = new WrongKeys({ now: () => 0 });
    for (let at = 0; at < 30; at += 1) wrongKeys.failed("first");
    expect(wrongKeys.areTooMany("first")).toBe(true);
    for (let at = 0; at < 10_000; at += 1) wrongKeys.failed(`place ${at}`);
    expect(wrongKeys.areTooMany("first")).toBe(false);
  });
});

describe("keepalive", () => {
  it("ends a connection whose client is stopped, and tells its program", async () => {
    await using open = await startWith({ keepalive: { everyMs: 100, times: 3 } });
    const command =
      "trap 'echo told > told; exit' HUP; echo ready; while :; do read x || exit; done";
    const child = open.start(["ws@127.0.0.1", command]);
    await once(child.stdout, "data");
    child.kill("SIGSTOP");
    // What is open of it at the gateway ends without the client having said a word.
    const looks = async (): Promise<string> =>
      (await open.ssh(["ws@127.0.0.1", "cat told 2>/dev/null || echo not yet"])).stdout.toString();
    for (let said = "not yet\n"; said !== "told\n";) said = await looks();
    child.kill("SIGCONT");
    expect((await once(child, "close"))[0]).toBe(255);
  });
});

/** Whatever it was that it met. */
function closed(client: ssh2.Client): Promise<void> {
  return new Promise((resolve) => {
    client.on("error", () => undefined).on("close", () => resolve());
  });
}

function address(port: number): { host: string; port: number; username: string } {
  return { host: "127.0.0.1", port, username: "ws" };
}

/** An ssh-agent (its protocol's drafts) that has one key, of a security key, and signs nothing. */
async function startAgentWithSecurityKey(
  folder: string,
): Promise<{ path: string } & AsyncDisposable> {
  const path = join(folder, "agent");
  const field = (bytes: Buffer | string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(bytes));
    return Buffer.concat([length, Buffer.from(bytes)]);
  };
  const type = "sk-ssh-ed25519@openssh.com";
  const blob = Buffer.concat([field(type), field(randomBytes(32)), field("ssh:")]);
  // SSH_AGENT_IDENTITIES_ANSWER: the number of keys, and each one with its comment.
  const one = Buffer.from([12, 0, 0, 0, 1]);
  const answer = field(Buffer.concat([one, field(blob), field("a security key")]));
  const server = createServer((socket) => {
    // The client was refused: it may go before it read the answer to its last question.
    socket.on("error", () => undefined).on("data", () => socket.write(answer));
  });
  server.listen(path);
  await once(server, "listening");
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
      await rm(path, { force: true });
    },
  };
}
