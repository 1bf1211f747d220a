import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { echoIsAwaited } from "../../../server/util/echoes.ts";
import { makeSshKey } from "../../helpers/ssh-key.ts";
import pty from "node-pty";
import ssh2, { type ClientChannel, type IdentityCallback, type ParsedKey } from "ssh2";
import { finish, gate, startOpenSsh, type OpenSsh } from "./openssh.ts";

let open: OpenSsh;
beforeAll(async () => {
  open = await startOpenSsh();
});
afterAll(() => open[Symbol.asyncDispose]());

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("ssh <workspace>@host, by the OpenSSH client", () => {
  test("gives the command's exit status, and its output and errors apart", async () => {
    const { code, stdout, stderr } = await open.ssh([
      "ws@127.0.0.1",
      "echo out; echo err >&2; exit 7",
    ]);
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test("passes standard input to its end", async () => {
    const { stdout } = await open.ssh(["ws@127.0.0.1", "wc -c"], "12345");
    expect(stdout.toString().trim()).toBe("5");
  });

  test("passes 20 MB both ways, byte for byte", async () => {
    const bytes = randomBytes(20 * 1024 * 1024);
    const { code, stdout } = await open.ssh(["ws@127.0.0.1", "cat"], bytes);
    expect(code).toBe(0);
    expect(stdout.length).toBe(bytes.length);
    expect(sha(stdout)).toBe(sha(bytes));
  });

  test("loses nothing of output and errors that come together and fill the window", async () => {
    const many = "head -c 8000000 /dev/zero | tr '\\0'";
    const { code, stdout, stderr } = await open.ssh([
      "ws@127.0.0.1",
      `{ ${many} o & ${many} e >&2 & wait; }; exit 3`,
    ]);
    expect(code).toBe(3);
    expect(stdout.length).toBe(8_000_000);
    expect(stdout.every((byte) => byte === 0x6f)).toBe(true);
    expect(/^e+$/.test(stderr)).toBe(true);
    expect(stderr.length).toBe(8_000_000);
  });

  test("goes on through new key exchanges in the midst of output", async () => {
    const bytes = randomBytes(4 * 1024 * 1024);
    const { stdout } = await open.ssh(["-o", "RekeyLimit=64K", "ws@127.0.0.1", "cat"], bytes);
    expect(sha(stdout)).toBe(sha(bytes));
  });

  test("holds the program while the client does not read", async () => {
    const child = open.start(["ws@127.0.0.1", "echo $$; exec head -c 100000000 /dev/zero"]);
    child.stdin.end();
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    child.stdout.pause();
    const pid = first.toString("latin1").split("\n", 1)[0] ?? "";
    const written = (): Promise<number> => writtenBytes(Number(pid));
    // Each question is a whole connection: a program that is not held writes on meanwhile.
    for (let same = 0, before = -1; same < 5;) {
      await open.ssh(["ws@127.0.0.1", "true"]);
      const now = await written();
      same = now === before ? same + 1 : 0;
      before = now;
    }
    expect(await written()).toBeLessThan(30_000_000);
    let size = first.length - pid.length - 1;
    child.stdout.on("data", (chunk: Buffer) => (size += chunk.length));
    child.stdout.resume();
    await once(child, "close");
    expect(size).toBe(100_000_000);
  });

  test("tells which signal ended the command, and passes signals on", async () => {
    // OpenSSH's client neither shows nor sends one.
    await using client = await connectClient(open);
    const channel = await client.exec("echo started; exec cat");
    await once(channel, "data");
    const exited = once(channel, "exit");
    channel.signal("TERM");
    expect((await exited).slice(0, 2)).toEqual([null, "SIGTERM"]);
  });

  test("a shell on a terminal has its size, follows it, echoes, and ends with its status", async () => {
    const terminal = pty.spawn("ssh", [...open.options(), "-tt", "ws@127.0.0.1"], {
      name: "xterm-256color",
      cols: 101,
      rows: 31,
    });
    const screen = new Screen(terminal);
    terminal.write("stty size; echo kind=$TERM\r");
    await screen.shows("31 101\r\n");
    await screen.shows("kind=xterm-256color\r\n");
    expect(screen.text).toContain("stty size; echo kind=$TERM\r\n");
    terminal.resize(77, 22);
    for (let at = 1; !screen.text.includes("22 77\r\n"); at += 1) {
      terminal.write(`stty size; echo asked=$((${at}))\r`);
      await screen.shows(`asked=${at}\r\n`);
    }
    terminal.write("exit 4\r");
    expect(await screen.exitCode).toBe(4);
  });

  test("passes the language, and no variable that could run a program", async () => {
    const child = open.start([
      "-o",
      "SetEnv=LANG=xx_YY.UTF-8 LD_PRELOAD=/evil.so",
      "ws@127.0.0.1",
      "echo $LANG:$LD_PRELOAD:$SSH_CONNECTION",
    ]);
    const { stdout } = await finish(child);
    expect(stdout.toString()).toMatch(/^xx_YY.UTF-8::127.0.0.1 \d+ 127.0.0.1 \d+\n$/);
  });

  test("sftp gets and puts a file", async () => {
    const bytes = randomBytes(3_000_000);
    const source = join(open.folder, "source");
    await writeFile(source, bytes);
    const batch = `put ${source} ${open.folder}/put\nget ${open.folder}/put ${open.folder}/got\n`;
    const { code, stderr } = await finish(open.start(["-b", "-", "ws@127.0.0.1"], "sftp"), batch);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(sha(await readFile(join(open.folder, "got")))).toBe(sha(bytes));
  });

  test("-L forwards to a port inside, and half-closed connections stay open the other way", async () => {
    await using server = await listen((socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      socket.on("end", () => socket.end(`got ${sha(Buffer.concat(chunks))}`));
    });
    const local = await freePort();
    const child = open.start([
      "-L",
      `127.0.0.1:${local}:localhost:${server.port}`,
      "ws@127.0.0.1",
      "echo ready; cat",
    ]);
    await once(child.stdout, "data");
    const bytes = randomBytes(5_000_000);
    const socket = connect({ host: "127.0.0.1", port: local, allowHalfOpen: true });
    socket.end(bytes);
    const answer: Buffer[] = [];
    for await (const chunk of socket) answer.push(chunk as Buffer);
    expect(Buffer.concat(answer).toString()).toBe(`got ${sha(bytes)}`);
    child.stdin.end();
    await once(child, "close");
  });

  test.each([
    ["-tt", true],
    ["-T", false],
  ])("with %s, that others' transfers wait for the echo of a key is %s", async (mode, waits) => {
    const quiet = "stty -echo 2>&-; echo ready; head -c 1; echo; cat > /dev/null";
    const child = open.start([mode, "ws@127.0.0.1", quiet]);
    await once(child.stdout, "data");
    child.stdin.write("x\n");
    const shown = once(child.stdout, "data").then(() => true);
    let waited = false;
    while (!(await Promise.race([shown, turn(false)]))) waited ||= echoIsAwaited();
    expect(waited).toBe(waits);
    child.stdin.end();
    child.kill();
    await once(child, "close");
  });

  test("-W holds a sender whose client does not read, and loses and changes nothing", async () => {
    const bytes = randomBytes(48 * 1024 * 1024);
    let waiting = (): number => bytes.length;
    await using server = await listen((socket) => {
      waiting = () => socket.writableLength;
      socket.end(bytes);
    });
    const child = open.start(["-W", `127.0.0.1:${server.port}`, "ws@127.0.0.1"]);
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    child.stdout.pause();
    // Each question is a whole connection: a sender that is not held goes on meanwhile.
    for (let same = 0, before = -1; same < 5; before = waiting()) {
      await open.ssh(["ws@127.0.0.1", "true"]);
      same = waiting() === before ? same + 1 : 0;
    }
    expect(waiting()).toBeGreaterThan(bytes.length / 2);
    const read = [first];
    for await (const chunk of child.stdout) read.push(chunk as Buffer);
    expect(sha(Buffer.concat(read))).toBe(sha(bytes));
  });

  test("-L to a port on which nothing listens is refused, and the session goes on", async () => {
    const [nobody, local] = [await freePort(), await freePort()];
    const child = open.start([
      "-L",
      `127.0.0.1:${local}:localhost:${nobody}`,
      "ws@127.0.0.1",
      "echo ready; cat",
    ]);
    await once(child.stdout, "data");
    const socket = connect(local, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "close");
    const rest = finish(child, "still here");
    expect((await rest).stdout.toString()).toBe("still here");
  });

  test("a program whose client is gone is told to end", async () => {
    const child = open.start(["ws@127.0.0.1", "trap 'echo > \"$0.hup\"; exit' HUP; echo $$; cat"]);
    const [pid] = (await once(child.stdout, "data")) as [Buffer];
    child.kill("SIGKILL");
    await gone(Number(pid.toString()));
  });
});

describe("a stranger", () => {
  test("with another key gets one refusal, whichever workspace they name", async () => {
    await using other = await startOpenSsh();
    const key = open.options(`${other.folder}/key`);
    const mine = await open.ssh([...key, "ws@127.0.0.1", "true"]);
    const nobodys = await open.ssh([...key, "no@127.0.0.1", "true"]);
    expect(mine.code).toBe(255);
    expect(mine.stderr).toBe("ws@127.0.0.1: Permission denied (publickey).\r\n");
    expect(nobodys.stderr).toBe(mine.stderr.replace("ws", "no"));
  });

  test("who only knows a user's public key is refused", async () => {
    const own = ssh2.utils.parseKey(makeSshKey()) as ParsedKey;
    let signed = 0;
    class Liar extends ssh2.BaseAgent<string> {
      override getIdentities(answer: IdentityCallback<string>): void {
        void readFile(`${open.folder}/key.pub`, "utf8").then((known) => answer(null, [known]));
      }
      override sign(_key: unknown, data: Buffer, ...rest: unknown[]): void {
        signed += 1;
        const answer = rest.pop() as (error: null, signature: Buffer) => void;
        answer(null, own.sign(data));
      }
    }
    const client = new ssh2.Client();
    const failed = once(client, "error") as Promise<[Error]>;
    client.connect({ ...address(open), agent: new Liar() });
    expect((await failed)[0].message).toContain("authentication methods failed");
    expect(signed).toBe(1);
  });

  test("cannot end the gateway with nonsense, at any point of a connection", async () => {
    const { port } = open.gateway;
    for (const bytes of ["\0\0\0\0", "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", ""]) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.end(Buffer.concat([Buffer.from(bytes), randomBytes(5000)]));
      socket.resume();
      await once(socket, "close");
    }
    expect((await open.ssh(["ws@127.0.0.1", "true"])).code).toBe(0);
  });
});

describe("a user", () => {
  test("who names a workspace that is not theirs is told so in a sentence", async () => {
    const { code, stdout, stderr } = await open.ssh(["other@127.0.0.1", "echo never"]);
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 255,
      stdout: "",
      stderr: 'oneloop: You have no workspace "other".\n',
    });
  });

  test.each(["adas-key", "ada"])(
    "whose key is removed, or who is, is cut off at once (%s)",
    async (id) => {
      await using own = await startOpenSsh();
      const child = own.start(["ws@127.0.0.1", "echo $$; exec cat"]);
      const [pid] = (await once(child.stdout, "data")) as [Buffer];
      const closed = once(child, "close");
      own.revoke("somebody-else");
      child.stdin.write("still here\n");
      expect(String((await once(child.stdout, "data"))[0])).toBe("still here\n");
      own.revoke(id);
      expect((await closed)[0]).toBe(255);
      await gone(Number(pid.toString()));
      // A connection that was being made while the key was removed.
      expect((await own.ssh(["ws@127.0.0.1", "true"])).code).toBe(255);
    },
  );

  test("-L: a client that leaves before its connection is joined leaves none behind", async () => {
    const gone = gate();
    const dialed = gate();
    await using own = await startOpenSsh("ed25519", (supervisors) => ({
      async forward(...call) {
        const forwarded = await supervisors.forward(...call);
        dialed.open();
        await gone.opened;
        return forwarded;
      },
    }));
    const ended = gate();
    await using server = await listen((socket) => {
      socket.on("end", () => socket.end(ended.open));
      socket.resume();
    });
    const child = own.start(["-W", `127.0.0.1:${server.port}`, "ws@127.0.0.1"]);
    await dialed.opened;
    child.kill("SIGKILL");
    // What came before this connection has been seen.
    await own.ssh(["ws@127.0.0.1", "true"]);
    gone.open();
    await ended.opened;
  });

  test.each(["rsa", "ecdsa"])("signs in with an %s key too", async (type) => {
    await using other = await startOpenSsh(type);
    const { code, stderr } = await other.ssh(["ws@127.0.0.1", "exit 5"]);
    expect({ code, stderr }).toEqual({ code: 5, stderr: "" });
  });
});

async function listen(
  serve: (socket: import("node:net").Socket) => void,
): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true }, serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

async function freePort(): Promise<number> {
  await using server = await listen(() => undefined);
  return server.port;
}

/** The kernel says when: reading the process's own folder fails. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      await readFile(`/proc/${pid}/stat`);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What /proc says of how much a process has written. */
async function writtenBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/io`, "utf8");
  return Number(/wchar: (\d+)/.exec(text)?.[1]);
}

function address({ gateway }: OpenSsh): { host: string; port: number; username: string } {
  return { host: "127.0.0.1", port: gateway.port, username: "ws" };
}

async function connectClient(
  to: OpenSsh,
): Promise<{ exec(command: string): Promise<ClientChannel> } & AsyncDisposable> {
  const client = new ssh2.Client();
  const ready = once(client, "ready");
  client.connect({ ...address(to), privateKey: await readFile(`${to.folder}/key`) });
  await ready;
  return {
    exec: (command) =>
      new Promise((resolve, reject) =>
        client.exec(command, (error, channel) => {
          if (error === undefined) resolve(channel);
          else reject(error);
        }),
      ),
    async [Symbol.asyncDispose]() {
      const closed = once(client, "close");
      client.end();
      await closed;
    },
  };
}

/** A terminal's text so far, and waiting for more of it. */
class Screen {
  text = "";
  readonly exitCode: Promise<number>;
  #changed = (): void => undefined;

  constructor(terminal: pty.IPty) {
    terminal.onData((data) => {
      this.text += data;
      this.#changed();
    });
    this.exitCode = new Promise((resolve) => {
      terminal.onExit(({ exitCode }) => resolve(exitCode));
    });
  }

  async shows(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
