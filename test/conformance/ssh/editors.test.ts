import { spawn } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import ssh2, { type ClientChannel } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkspaceDetail } from "../../../server/protocol/workspace.ts";
import { run } from "../../helpers/installation.ts";
import { freePort } from "../../helpers/ports.ts";
import { SshWorld, type Running } from "../../helpers/ssh-world.ts";

const host = "edited";
let world: SshWorld;
let folder: string;
let workspace: WorkspaceDetail;

beforeAll(async () => {
  world = await SshWorld.start();
  ({ folder } = world);
  workspace = await world.open(host);
});
afterAll(() => world?.[Symbol.asyncDispose]());

const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** All that a program says up to the first match of `pattern`. */
async function said(child: Running, pattern: RegExp): Promise<string> {
  let told = "";
  for await (const [piece] of onData(child)) {
    told += String(piece);
    if (pattern.test(told)) return told;
  }
  throw new Error(`it ended with ${child.exitCode}: ${told}`);
}

async function* onData(child: Running): AsyncGenerator<[Buffer]> {
  const closed = once(child, "close").then(() => null);
  for (;;) {
    const next = await Promise.race([once(child.stdout, "data"), closed]);
    if (next === null) return;
    yield next as [Buffer];
  }
}

/** Reads until so many bytes, or this text, have come. */
async function read(socket: Duplex, until: number | string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const onChunk = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      const enough =
        typeof until === "number" ? size >= until : Buffer.concat(chunks).includes(until);
      if (!enough) return;
      socket.off("data", onChunk);
      socket.off("close", onClose);
      resolve(Buffer.concat(chunks));
    };
    const onClose = (): void =>
      reject(new Error(`closed after ${Buffer.concat(chunks).toString()}`));
    socket.on("data", onChunk);
    socket.on("close", onClose);
  });
}

/**
 * In place of the editor's own server, which nobody may copy: it takes the same arguments, says where
 * it listens in the same words, and keeps each client's state by its token as that one does.
 */
const server = `const { createServer } = require("http");
const option = (name) => process.argv.find((each) => each.startsWith(name + "="))?.slice(name.length + 1);
const clients = new Map();
const server = createServer((_, response) => response.end("200 OK"));
server.on("upgrade", (request, socket) => {
  const query = new URL(request.url, "http://server").searchParams;
  const token = query.get("reconnectionToken");
  if (query.get("reconnection") === "true" && !clients.has(token)) return socket.destroy();
  const client = clients.get(token) ?? { bytes: 0 };
  clients.set(token, client);
  socket.on("error", () => socket.destroy());
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n");
  socket.write("had " + client.bytes + ";");
  socket.on("data", (data) => { client.bytes += data.length; socket.write(data); });
});
const path = option("--socket-path");
server.listen(...(path ? [path] : [Number(option("--port")), option("--host")]), () =>
  console.log("Extension host agent listening on " + (path ?? server.address().port)));
`;

/** In the shape of what Remote-SSH gives to a shell on its standard input, with the same words. */
function bootstrap(id: string, listen: string): string {
  return `
uuid=${id}
agent=$HOME/.vscode-server
at=$agent/bin/4949701c
log=$agent/.4949701c.log
pid=$agent/.4949701c.pid
echo "$uuid: running"
echo "Script executing under PID: $$"
umask 077
mkdir -p "$at"
exec 9> "$at/vscode-remote-lock.$USER.4949701c"
flock -w 5 9
if [ ! -f "$at/server.js" ]; then
  echo "$uuid:trigger_server_download"
  echo "destFolder==$agent=="
  echo "destFolder2==vscode-server.tar.gz=="
  echo "$uuid:trigger_server_download_end"
  echo "Waiting for client to transfer server archive..."
  until [ -f "$agent/vscode-server.tar.gz.done" ]; do sleep .03; done
  tar -xzf "$agent/vscode-server.tar.gz" -C "$at"
else
  echo "Found existing installation at $at..."
fi
if [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2> /dev/null; then
  echo "Found running server..."
else
  rm -f "$log"
  node "$at/server.js" --start-server --host=127.0.0.1 --accept-server-license-terms \\
    --enable-remote-auto-shutdown ${listen} --telemetry-level off > "$log" 2>&1 < /dev/null 9>&- &
  echo $! > "$pid"
  echo "Spawned remote server: $!"
fi
listening=
while [ -z "$listening" ]; do
  listening=$(grep -a -E 'Extension host agent listening on .+' "$log" 2> /dev/null | sed 's/Extension host agent listening on //')
  if ! kill -0 "$(cat "$pid")"; then cat "$log"; exit 1; fi
  [ -n "$listening" ] || sleep .03
done
flock -u 9
echo "$uuid: start"
echo "SSH_AUTH_SOCK==$SSH_AUTH_SOCK=="
echo "listeningOn==$listening=="
echo "osReleaseId==debian=="
echo "arch==$(uname -m)=="
echo "serverPid==$(cat "$pid")=="
echo "platform==linux=="
echo "$uuid: end"
while true; do sleep 180; printf ' '; done
`;
}

/** What the bootstrap printed, by name. */
function results(told: string): Record<string, string> {
  return Object.fromEntries(
    [...told.matchAll(/^(\w+)==(.*)==\r?$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}

/** SOCKS 5 (RFC 1928), as the editor speaks it to its own ssh. */
async function socks(proxyPort: number, port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: proxyPort });
  await once(socket, "connect");
  socket.write(Buffer.from([5, 1, 0]));
  await read(socket, 2);
  socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]));
  const answer = await read(socket, 10);
  if (answer[1] !== 0) throw new Error(`refused: ${answer[1]}`);
  return socket;
}

/** Opens one of the editor's connections, and gives what the server still knew of it. */
async function upgrade(socket: Socket, token: string, again: boolean): Promise<string> {
  const query = `reconnectionToken=${token}&reconnection=${again}&skipWebSocketFrames=true`;
  socket.write(
    `GET ws://localhost/?${query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n` +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  return (await read(socket, ";")).toString();
}

async function echo(socket: Socket, bytes: Buffer): Promise<void> {
  socket.write(bytes);
  expect(sha(await read(socket, bytes.length))).toBe(sha(bytes));
}

describe("VS Code, Remote-SSH", () => {
  const tokens = [randomUUID(), randomUUID()] as const;
  let pid: string | undefined;

  /** As its local server starts it: a login without a terminal, the script on standard input. */
  async function session(args: readonly string[], listen = "--port=0") {
    const id = randomBytes(6).toString("hex");
    const child = world.start(["-v", "-T", "-o", "ConnectTimeout=15", ...args]);
    child.stderr.resume();
    child.stdin.write(bootstrap(id, listen));
    return { id, child };
  }

  test("its script has the server sent by scp, starts it, and all goes through ssh -D", async () => {
    const proxy = await freePort();
    const { id, child } = await session(["-D", String(proxy), host]);
    const asked = results(await said(child, new RegExp(`${id}:trigger_server_download_end`)));
    await mkdir(join(folder, "server"));
    await writeFile(join(folder, "server/server.js"), server);
    const archive = join(folder, "vscode-server.tar.gz");
    await run("tar", ["-czf", archive, "-C", join(folder, "server"), "server.js"]);
    const to = `${host}:${asked["destFolder"]}/${asked["destFolder2"]}`;
    expect(await world.run("scp", [archive, to])).toMatchObject({ exitCode: 0, stderr: "" });
    const marker = join(folder, "done");
    await writeFile(marker, "");
    expect(await world.run("scp", [marker, `${to}.done`])).toMatchObject({ exitCode: 0 });
    const started = results(await said(child, new RegExp(`${id}: end`)));
    expect(started).toMatchObject({
      platform: "linux",
      listeningOn: expect.stringMatching(/^\d+$/),
    });
    pid = started["serverPid"];
    // The management connection and the extension host's.
    for (const token of tokens) {
      const socket = await socks(proxy, Number(started["listeningOn"]));
      expect(await upgrade(socket, token, false)).toContain("had 0;");
      await echo(socket, randomBytes(5_000_000));
    }
    // The network is gone.
    child.kill("SIGKILL");
    await once(child, "close");
  });

  test("after a cut, its script finds the same server, which knows each connection again", async () => {
    const proxy = await freePort();
    const { id, child } = await session(["-D", String(proxy), host, "bash"]);
    const told = await said(child, new RegExp(`${id}: end`));
    expect(told).toContain("Found running server...");
    const found = results(told);
    expect(found["serverPid"]).toBe(pid);
    for (const token of tokens) {
      const socket = await socks(proxy, Number(found["listeningOn"]));
      expect(await upgrade(socket, token, true)).toContain("had 5000000;");
      await echo(socket, randomBytes(100_000));
    }
    child.kill();
    await world.sh(host, `kill ${pid}`);
  });

  test("where its server listens on a unix socket, -L leads to it, also after a cut", async () => {
    const path = "/tmp/vscode-ssh-remote-server-sock-1682865524";
    const port = await freePort();
    const args = ["-L", `127.0.0.1:${port}:${path}`, host, "sh"];
    const first = await session(args, `--socket-path=${path}`);
    const started = results(await said(first.child, new RegExp(`${first.id}: end`)));
    expect(started["listeningOn"]).toBe(path);
    const token = randomUUID();
    expect(await upgrade(connect(port, "127.0.0.1"), token, false)).toContain("had 0;");
    first.child.kill("SIGKILL");
    await once(first.child, "close");
    const second = await session(args, `--socket-path=${path}`);
    const found = results(await said(second.child, new RegExp(`${second.id}: end`)));
    expect(found["serverPid"]).toBe(started["serverPid"]);
    expect(await upgrade(connect(port, "127.0.0.1"), token, true)).toContain("had 0;");
    second.child.kill();
    await world.sh(host, `kill ${found["serverPid"]}`);
  });
});

/** A backend that listens on a unix socket and outlives who started it. */
const backend = `process.on("SIGHUP", () => undefined);
require("net").createServer((socket) => socket.pipe(socket)).listen(process.argv[2], () => console.log("Join link: ready"));
`;

/** As JetBrains' client: a library of SSH of its own, which sends many sftp requests at once. */
class Gateway implements AsyncDisposable {
  readonly #client: ssh2.Client;

  private constructor(client: ssh2.Client) {
    this.#client = client;
  }

  static async connect(): Promise<Gateway> {
    const client = new ssh2.Client();
    const ready = once(client, "ready");
    const privateKey = await readFile(join(folder, "key"));
    const to = { host: "127.0.0.1", port: world.oneloop.sshPort, username: workspace.name };
    // It asks for extensions only where a server calls itself OpenSSH; others try and see.
    client.connect({ ...to, privateKey, strictVendor: false });
    await ready;
    return new Gateway(client);
  }

  async exec(command: string): Promise<string> {
    const channel = await promised<ClientChannel>((done) => this.#client.exec(command, done));
    channel.stderr.resume();
    return text(channel);
  }

  /** @returns the folder that a relative path starts from. */
  async upload(from: string, to: string): Promise<string> {
    const sftp = await promised<ssh2.SFTPWrapper>((done) => this.#client.sftp(done));
    await new Promise<void>((resolve, reject) => {
      sftp.fastPut(from, to, { concurrency: 64, chunkSize: 32_768 }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
    const start = await promised<string>((done) => sftp.realpath(".", done));
    sftp.end();
    return start;
  }

  socket(path: string): Promise<ClientChannel> {
    return promised((done) => this.#client.openssh_forwardOutStreamLocal(path, done));
  }

  /** As a network that is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#client, "close");
    this.#client.destroy();
    await closed;
  }
}

function promised<Value>(
  call: (done: (error: Error | undefined, value: Value) => void) => void,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
  });
}

describe("JetBrains Gateway", () => {
  const cache = ".cache/JetBrains/RemoteDev/dist";

  test("probes, uploads a large archive by sftp, starts its backend, and reaches its socket", async () => {
    await using gateway = await Gateway.connect();
    expect(await gateway.exec("uname -sm")).toMatch(/^Linux (x86_64|aarch64)\n$/);
    const home = (await gateway.exec("echo $HOME")).trim();
    await gateway.exec(`mkdir -p ${home}/${cache}`);
    const archive = randomBytes(96 * 1024 * 1024);
    const local = join(folder, "ide.tar.gz");
    await writeFile(local, archive);
    expect(await gateway.upload(local, `${cache}/ide.tar.gz`)).toBe(home);
    const sum = await gateway.exec(`sha256sum < ${home}/${cache}/ide.tar.gz`);
    expect(sum.split(" ")[0]).toBe(sha(archive));
    await world.sh(host, `cat > ~/${cache}/backend.js`, backend);
    const start = `cd ~/${cache} && (setsid node backend.js /tmp/jb.sock > log 2>&1 < /dev/null &) && until grep -q 'Join link' log; do sleep .03; done`;
    await gateway.exec(start);
    const socket = await gateway.socket("/tmp/jb.sock");
    const bytes = randomBytes(3_000_000);
    socket.write(bytes);
    expect(sha(await read(socket, bytes.length))).toBe(sha(bytes));
  });

  test("after a cut it finds its backend, and reaches its socket again", async () => {
    await using gateway = await Gateway.connect();
    expect(await gateway.exec("pgrep -fc '[b]ackend.js'")).toBe("1\n");
    const socket = await gateway.socket("/tmp/jb.sock");
    socket.write("again");
    expect(String(await read(socket, 5))).toBe("again");
    await expect(gateway.socket("/tmp/none.sock")).rejects.toThrow("Channel open failure");
    await gateway.exec("pkill -f '[b]ackend.js'");
  });
});

describe("Zed", () => {
  test("its master, its probes, its upload to a relative path, and its proxy on standard input", async () => {
    const master = join(folder, "zed");
    const args = [
      "-o",
      "ControlPersist=no",
      "-o",
      "ControlMaster=yes",
      "-o",
      `ControlPath=${master}`,
    ];
    const child = spawn("ssh", ["-F", world.config, "-N", ...args, host]);
    world.defer(() => child.kill("SIGKILL"));
    const shared = ["-T", "-o", "ControlMaster=no", "-o", `ControlPath=${master}`];
    while ((await world.run("ssh", [...shared, "-O", "check", host])).exitCode !== 0);
    const exec = (line: string, input?: string) => world.run("ssh", [...shared, host, line], input);
    expect((await exec("cd; uname -sm")).stdout).toMatch(/^Linux /);
    expect(await exec("cd; mkdir -p .zed_server")).toMatchObject({ exitCode: 0, stderr: "" });
    const local = join(folder, "zed-remote-server");
    await writeFile(local, "#!/bin/sh\nexec cat\n");
    const copied = await world.run("scp", [
      ...["-C", "-o", "ControlMaster=no", "-o", `ControlPath=${master}`],
      ...[local, `${host}:.zed_server/zed-remote-server`],
    ]);
    expect(copied).toMatchObject({ exitCode: 0, stderr: "" });
    const proxy =
      "cd; chmod 755 .zed_server/zed-remote-server && .zed_server/zed-remote-server proxy";
    expect(await exec(proxy, "a message")).toMatchObject({ exitCode: 0, stdout: "a message" });
    expect(await exec("git status --short")).toMatchObject({ exitCode: 0, stdout: "" });
    child.kill();
  });
});
