import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, type CommandResult } from "../../helpers/installation.ts";
import { freePort } from "../../helpers/ports.ts";
import { hangUp, SshWorld, type Running } from "../../helpers/ssh-world.ts";

const host = "forwards";

/** Greets, and gives back what comes; says where it listens. */
const serve = `const at = process.argv[2];
const server = require("net").createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.write("hello ");
  socket.pipe(socket);
});
server.listen(/^\\d+$/.test(at) ? { port: Number(at), host: "127.0.0.1" } : at, () => {
  console.log(server.address().port ?? at);
});
`;

/** Says something and ends, and prints what comes until the other end does. */
const ask = `const at = process.argv[2];
const socket = require("net").connect(/^\\d+$/.test(at) ? { port: Number(at), host: "127.0.0.1" } : at);
socket.on("error", (error) => { console.log(error.code); process.exit(1); });
socket.on("connect", () => socket.write("there"));
let seen = "";
socket.on("data", (data) => { seen += data; if (seen === "hello there") socket.end(); });
socket.on("end", () => process.stdout.write(seen));
`;

let world: SshWorld;
let folder: string;
/** On the person's machine. */
let home: Server;
let homePort: number;

beforeAll(async () => {
  world = await SshWorld.start();
  ({ folder } = world);
  await world.open(host, { "serve.js": serve, "ask.js": ask });
  home = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.write("hello ");
    socket.pipe(socket);
  });
  home.listen(0, "127.0.0.1");
  await once(home, "listening");
  homePort = (home.address() as AddressInfo).port;
});
afterAll(async () => {
  home?.close();
  await world?.[Symbol.asyncDispose]();
});

/** A program in the workspace that listens; gives where. */
async function listenInside(at = "0"): Promise<{ at: string; child: Running }> {
  const child = world.start([host, `exec node serve.js ${at}`]);
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { at: said.toString().trim(), child };
}

function askInside(at: string | number): Promise<CommandResult> {
  return world.run("ssh", [host, `node ask.js ${at}`]);
}

/** What a program of this machine hears that says something and ends. */
async function askHere(to: { port: number } | { path: string }, said: Buffer): Promise<Buffer> {
  const socket: Socket = connect({
    ...to,
    ...("port" in to ? { host: "127.0.0.1" } : {}),
    allowHalfOpen: true,
  });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "connect");
  socket.end(said);
  await once(socket, "close");
  return Buffer.concat(chunks);
}

const answer = (to: { port: number } | { path: string }): Promise<string> =>
  askHere(to, Buffer.from("there")).then(String);

/** Every listening socket of the workspace's network: address and port, as the kernel writes them. */
async function listeningInside(): Promise<string[]> {
  const tables = await world.sh(host, "cat /proc/net/tcp /proc/net/tcp6");
  return tables
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === "0A")
    .map(([, local = ""]) => local);
}

async function untilNot(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (await holds()) await new Promise((resolve) => setImmediate(resolve));
}

const listensAt = async (port: number): Promise<boolean> => {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return (await listeningInside()).some((each) => each.endsWith(`:${hex}`));
};

describe("ssh -L", () => {
  test("a local port leads to one inside, with half-closed directions", async () => {
    const inside = await listenInside();
    const port = await freePort();
    const forwarding = await world.connect(host, "-L", `${port}:localhost:${inside.at}`);
    expect(await answer({ port })).toBe("hello there");
    await hangUp(forwarding);
    inside.child.kill();
  });

  test("a unix socket leads to one inside", async () => {
    const inside = await listenInside("/tmp/inside.sock");
    const path = join(folder, "local.sock");
    const forwarding = await world.connect(host, "-L", `${path}:/tmp/inside.sock`);
    expect(await answer({ path })).toBe("hello there");
    await hangUp(forwarding);
    inside.child.kill();
  });

  test("64 MiB pass both ways at once, byte for byte", async () => {
    const inside = await listenInside();
    const port = await freePort();
    const forwarding = await world.connect(host, "-L", `${port}:localhost:${inside.at}`);
    const bytes = randomBytes(64 * 1024 * 1024);
    const back = await askHere({ port }, bytes);
    const sha = (of: Buffer): string => createHash("sha256").update(of).digest("hex");
    expect(sha(back.subarray("hello ".length))).toBe(sha(bytes));
    await hangUp(forwarding);
    inside.child.kill();
  });

  test("100 connections at once through one forward are all served", async () => {
    const inside = await listenInside();
    const port = await freePort();
    const forwarding = await world.connect(host, "-L", `${port}:localhost:${inside.at}`);
    const answers = await Promise.all(Array.from({ length: 100 }, () => answer({ port })));
    expect(new Set(answers)).toEqual(new Set(["hello there"]));
    await hangUp(forwarding);
    inside.child.kill();
  });

  test.each([
    ["a port", "localhost:9"],
    ["a unix socket", "/tmp/nobody.sock"],
  ])(
    "%s that nobody has opened inside is refused at once, and the connection goes on",
    async (_, to) => {
      const port = await freePort();
      const args = ["-o", "LogLevel=INFO", "-L", `${port}:${to}`];
      const forwarding = await world.connect(host, ...args);
      const said = once(forwarding.stderr, "data");
      const socket = connect({ port, host: "127.0.0.1" });
      await once(socket, "close");
      expect(String((await said)[0])).toContain("open failed: connect failed");
      expect(await hangUp(forwarding)).toBe(0);
    },
  );

  test("it ends with the connection, and cuts off who uses it", async () => {
    const inside = await listenInside();
    const port = await freePort();
    const forwarding = await world.connect(host, "-L", `${port}:localhost:${inside.at}`);
    const user = connect({ port, host: "127.0.0.1" });
    await once(user, "data");
    forwarding.kill("SIGKILL");
    user.on("error", () => undefined);
    await once(user, "close");
    // The workspace's end too: its program has nobody connected any more.
    const established = `cat /proc/net/tcp | awk '$4 == "01" && $2 ~ /:${Number(inside.at)
      .toString(16)
      .toUpperCase()
      .padStart(4, "0")}$/'`;
    await untilNot(async () => (await world.sh(host, established)) !== "");
    inside.child.kill();
  });
});

describe("ssh -R", () => {
  test("a port inside leads to the person's machine", async () => {
    const port = 23_001;
    const forwarding = await world.connect(host, "-R", `${port}:127.0.0.1:${homePort}`);
    expect(await askInside(port)).toMatchObject({ exitCode: 0, stdout: "hello there" });
    await hangUp(forwarding);
    await untilNot(() => listensAt(port));
    expect(await askInside(port)).toMatchObject({ exitCode: 1, stdout: "ECONNREFUSED\n" });
  });

  test("for port 0 a free one is chosen, and the client is told", async () => {
    const args = ["-o", "LogLevel=INFO", "-R", `0:127.0.0.1:${homePort}`];
    const forwarding = world.start([...args, host, "echo ready; cat"]);
    const [said] = (await once(forwarding.stderr, "data")) as [Buffer];
    const port = /Allocated port (\d+) for remote forward/.exec(said.toString())?.[1] ?? "";
    expect(await askInside(port)).toMatchObject({ exitCode: 0, stdout: "hello there" });
    await hangUp(forwarding);
  });

  test.each(["*", "0.0.0.0", "localhost"])(
    "asked for %s, it listens on the loopback only",
    async (address) => {
      const port = 23_002;
      const forwarding = await world.connect(
        host,
        "-R",
        `${address}:${port}:127.0.0.1:${homePort}`,
      );
      const hex = port.toString(16).toUpperCase();
      const places = (await listeningInside()).filter((each) => each.endsWith(`:${hex}`));
      const loopback = [`0100007F:${hex}`, `00000000000000000000000001000000:${hex}`];
      expect(places).toContain(loopback[0]);
      expect(places.filter((each) => !loopback.includes(each))).toEqual([]);
      expect(await askInside(port)).toMatchObject({ stdout: "hello there" });
      await hangUp(forwarding);
      await untilNot(() => listensAt(port));
    },
  );

  test("a port that is taken inside is refused", async () => {
    const inside = await listenInside();
    const { exitCode, stderr } = await world.run("ssh", [
      ...["-o", "ExitOnForwardFailure=yes", "-R", `${inside.at}:127.0.0.1:${homePort}`],
      ...[host, "true"],
    ]);
    expect(exitCode).toBe(255);
    expect(stderr).toContain(`remote port forwarding failed for listen port ${inside.at}`);
    inside.child.kill();
  });

  test("a unix socket inside leads to the person's machine, and goes with the connection", async () => {
    const path = "/tmp/home.sock";
    const forwarding = await world.connect(host, "-R", `${path}:127.0.0.1:${homePort}`);
    expect(await askInside(path)).toMatchObject({ exitCode: 0, stdout: "hello there" });
    expect(await world.sh(host, `stat -c '%a %U' ${path}; id -un`)).toMatch(/^600 (\w+)\n\1\n$/);
    forwarding.kill("SIGKILL");
    const there = async (): Promise<boolean> =>
      (await world.run("ssh", [host, `test -e ${path}`])).exitCode === 0;
    await untilNot(there);
    // The home folder is in a volume, and not in the layers of the image.
    const inHome = `${(await world.sh(host, "echo ~")).trim()}/later.sock`;
    const later = await world.connect(host, "-R", `${inHome}:127.0.0.1:${homePort}`);
    expect(await askInside(inHome)).toMatchObject({ exitCode: 0, stdout: "hello there" });
    await hangUp(later);
  });

  test("two forwards of the same unix socket: the second is refused, the first goes on", async () => {
    const path = "/tmp/twice.sock";
    const spec = ["-o", "ExitOnForwardFailure=yes", "-R", `${path}:127.0.0.1:${homePort}`];
    const first = await world.connect(host, ...spec);
    const second = await world.run("ssh", [...spec, host, "true"]);
    expect(second.exitCode).toBe(255);
    expect(second.stderr).toContain("remote port forwarding failed");
    expect(await askInside(path)).toMatchObject({ stdout: "hello there" });
    // Who makes room by hand has it, and keeps it when the first one ends.
    await world.sh(host, `rm ${path}`);
    const third = await world.connect(host, ...spec);
    await hangUp(first);
    await world.sh(host, "true");
    expect(await askInside(path)).toMatchObject({ stdout: "hello there" });
    await hangUp(third);
  });
});

describe("all kinds", () => {
  test("ssh -D: whatever runs inside is reached by name and port", async () => {
    const inside = world.start([host, "exec python3 -u -m http.server --bind 127.0.0.1 8123"]);
    await once(inside.stdout, "data");
    const port = await freePort();
    const forwarding = await world.connect(host, "-D", String(port));
    const curl = (url: string): Promise<CommandResult> =>
      run("curl", ["-sS", "-m", "10", "-x", `socks5h://127.0.0.1:${port}`, url]);
    expect((await curl("http://localhost:8123/ask.js")).stdout).toBe(ask);
    const refused = await curl("http://localhost:9/");
    expect(refused.stderr).toContain("curl: (97)");
    await hangUp(forwarding);
    inside.kill();
  });

  test("ssh -W: the connection itself is standard input and output", async () => {
    const inside = await listenInside();
    const { exitCode, stdout } = await world.run(
      "ssh",
      ["-W", `localhost:${inside.at}`, host],
      "there",
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "hello there" });
    const refused = await world.run("ssh", ["-W", "localhost:9", host]);
    expect(refused.exitCode).toBe(255);
    inside.child.kill();
  });

  test("60 forwards of one connection work at once", async () => {
    const inside = await listenInside();
    const names = Array.from({ length: 30 }, (_, index) => index);
    const forwarding = await world.connect(
      host,
      ...names.flatMap((name) => ["-L", `${folder}/many-${name}:localhost:${inside.at}`]),
      ...names.flatMap((name) => ["-R", `/tmp/many-${name}:127.0.0.1:${homePort}`]),
    );
    const here = await Promise.all(names.map((name) => answer({ path: `${folder}/many-${name}` })));
    expect(new Set(here)).toEqual(new Set(["hello there"]));
    const each = `for i in $(seq 0 29); do node ask.js /tmp/many-$i & done; wait`;
    expect(await world.sh(host, each)).toBe("hello there".repeat(30));
    await hangUp(forwarding);
    inside.child.kill();
  });

  test("ssh -O forward and -O cancel: they come and go while the connection stands", async () => {
    const master = join(folder, "master");
    const forwarding = await world.connect(host, "-M", "-S", master);
    const control = async (...args: string[]): Promise<void> => {
      const { exitCode, stderr } = await world.run("ssh", ["-S", master, ...args, host]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    };
    const port = 23_003;
    const remote = ["-R", `${port}:127.0.0.1:${homePort}`];
    await control("-O", "forward", ...remote);
    expect(await askInside(port)).toMatchObject({ stdout: "hello there" });
    await control("-O", "cancel", ...remote);
    await untilNot(() => listensAt(port));
    await control("-O", "forward", ...remote);
    expect(await askInside(port)).toMatchObject({ stdout: "hello there" });
    const inside = await listenInside();
    const local = ["-L", `${folder}/cancelled:localhost:${inside.at}`];
    await control("-O", "forward", ...local);
    expect(await answer({ path: `${folder}/cancelled` })).toBe("hello there");
    await control("-O", "cancel", ...local);
    expect(await hangUp(forwarding)).toBe(0);
    await untilNot(() => existsSync(master));
    inside.child.kill();
  });

  test("ssh -Y: X11 is refused with a word, and the session goes on without it", async () => {
    const env = { ...process.env, DISPLAY: ":99" };
    const args = ["-F", world.config, "-o", "LogLevel=INFO", "-Y", host, "echo [$DISPLAY]"];
    const { exitCode, stdout, stderr } = await run("ssh", args, { env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "[]\n" });
    expect(stderr).toContain("X11 forwarding request failed");
  });
});
