import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { link, readdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../helpers/ports.ts";
import { finish, startOpenSsh, type OpenSsh } from "./openssh.ts";

let open: OpenSsh;
let echo: Server;
let echoPort: number;

/** On the person's machine: what comes, goes back, after a greeting. */
beforeAll(async () => {
  open = await startOpenSsh();
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.write("hello ");
    socket.pipe(socket);
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  echoPort = (echo.address() as AddressInfo).port;
});
afterAll(async () => {
  echo.close();
  await open[Symbol.asyncDispose]();
});

/** A connection with these forwards, which stands when this resolves. */
async function forwarding(...args: string[]): Promise<ChildProcessWithoutNullStreams> {
  const child = open.start([
    "-o",
    "ExitOnForwardFailure=yes",
    ...args,
    "ws@127.0.0.1",
    "echo; cat",
  ]);
  await Promise.race([once(child.stdout, "data"), once(child, "close")]);
  return child;
}

async function ended(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  if (child.exitCode === null) {
    child.stdin.end();
    await once(child, "close");
  }
  return child.exitCode;
}

/** What a program inside gets that says something and ends. */
async function ask(to: { path: string } | { host: string; port: number }): Promise<string> {
  const socket: Socket = connect({ ...to, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "connect");
  socket.end("there");
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

/** The client ends before the workspace has heard of it. */
async function gone(path: string): Promise<void> {
  while (existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
}

async function goneFrom(to: { host: string; port: number }): Promise<void> {
  for (let code: unknown; code !== "ECONNREFUSED";) {
    const socket = connect(to);
    code = await new Promise((resolve) => {
      socket.on("connect", () => resolve(null));
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    socket.destroy();
  }
}

async function refusal(to: { path: string } | { host: string; port: number }): Promise<unknown> {
  const socket = connect(to);
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  return error.code;
}

describe("ssh -R, by the OpenSSH client", () => {
  test("a port inside leads to the person's machine, on the loopback only", async () => {
    const port = await freePort();
    // The client asks for all addresses; sshd's `GatewayPorts no` gives it the loopback.
    const child = await forwarding("-R", `*:${port}:127.0.0.1:${echoPort}`);
    expect(await ask({ host: "127.0.0.1", port })).toBe("hello there");
    expect(await ask({ host: "::1", port })).toBe("hello there");
    const outside = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find(({ internal, family }) => !internal && family === "IPv4");
    if (outside !== undefined) {
      expect(await refusal({ host: outside.address, port })).toBe("ECONNREFUSED");
    }
    expect(await ended(child)).toBe(0);
    await goneFrom({ host: "127.0.0.1", port });
  });

  test("of port 0 the client is told which one it is", async () => {
    const child = open.start([
      ...["-o", "LogLevel=INFO", ...open.options()],
      ...["-R", `0:127.0.0.1:${echoPort}`, "ws@127.0.0.1", "echo; cat"],
    ]);
    const [said] = (await once(child.stderr, "data")) as [Buffer];
    const port = Number(/Allocated port (\d+) for remote forward/.exec(said.toString())?.[1]);
    await once(child.stdout, "data");
    expect(await ask({ host: "127.0.0.1", port })).toBe("hello there");
    await ended(child);
  });

  test("a port that is taken is refused, and the connection goes on without it", async () => {
    const taken = await forwarding("-R", `${echoPort}:127.0.0.1:${echoPort}`);
    expect(await ended(taken)).toBe(255);
    const child = open.start(["-R", `${echoPort}:127.0.0.1:1`, "ws@127.0.0.1", "echo on"]);
    expect((await finish(child)).stdout.toString()).toBe("on\n");
  });

  test("cut connections take their ports with them", async () => {
    const port = await freePort();
    const child = await forwarding("-R", `${port}:127.0.0.1:${echoPort}`);
    const inside = connect({ host: "127.0.0.1", port });
    await once(inside, "data");
    const cut = once(inside, "close");
    inside.on("error", () => undefined);
    child.kill("SIGKILL");
    await cut;
    const again = await forwarding("-R", `${port}:127.0.0.1:${echoPort}`);
    expect(await ask({ host: "127.0.0.1", port })).toBe("hello there");
    await ended(again);
  });

  test("a master takes forwards and gives them back; one that is cancelled leaves its connections", async () => {
    const master = join(open.folder, "forwards");
    const child = open.start(["-M", "-S", master, "ws@127.0.0.1", "echo; cat"]);
    await once(child.stdout, "data");
    const control = (...args: string[]) =>
      finish(open.start(["-S", master, ...args, "ws@127.0.0.1"]));
    const port = await freePort();
    const spec = `${port}:127.0.0.1:${echoPort}`;
    expect((await control("-O", "forward", "-R", spec)).code).toBe(0);
    const inside = connect({ host: "127.0.0.1", port });
    await once(inside, "data");
    expect((await control("-O", "cancel", "-R", spec)).code).toBe(0);
    await goneFrom({ host: "127.0.0.1", port });
    inside.write("still here");
    expect(String((await once(inside, "data"))[0])).toBe("still here");
    inside.destroy();
    const socket = join(open.folder, "cancelled.sock");
    expect((await control("-O", "forward", "-R", `${socket}:127.0.0.1:${echoPort}`)).code).toBe(0);
    expect(await ask({ path: socket })).toBe("hello there");
    expect((await control("-O", "cancel", "-R", `${socket}:127.0.0.1:${echoPort}`)).code).toBe(0);
    await gone(socket);
    await ended(child);
  });

  test("128 forwards at once work; one more is refused", async () => {
    const sockets = Array.from({ length: 129 }, (_, index) => join(open.folder, `many-${index}`));
    const args = sockets.flatMap((path) => ["-R", `${path}:127.0.0.1:${echoPort}`]);
    const child = open.start([...args, "ws@127.0.0.1", "echo; cat"]);
    await once(child.stdout, "data");
    expect(existsSync(sockets[128] ?? "")).toBe(false);
    const answers = await Promise.all(sockets.slice(0, 128).map((path) => ask({ path })));
    expect(new Set(answers)).toEqual(new Set(["hello there"]));
    await ended(child);
    for (const path of sockets) await gone(path);
  });

  test("300 connections at once through one forward: all are served", async () => {
    const path = join(open.folder, "busy.sock");
    const child = await forwarding("-R", `${path}:127.0.0.1:${echoPort}`);
    const answers = await Promise.all(Array.from({ length: 300 }, () => ask({ path })));
    expect(new Set(answers)).toEqual(new Set(["hello there"]));
    await ended(child);
  });
});

describe("ssh -R of a unix socket", () => {
  const forward = (path: string): string => `${path}:127.0.0.1:${echoPort}`;

  test("it is its user's only, and goes with the connection", async () => {
    const path = join(open.folder, "own.sock");
    const child = await forwarding("-R", forward(path));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await ask({ path })).toBe("hello there");
    await ended(child);
    await gone(path);
  });

  test("the second forward of a socket is refused, and the first one goes on", async () => {
    const path = join(open.folder, "twice.sock");
    const first = await forwarding("-R", forward(path));
    expect(await ended(await forwarding("-R", forward(path)))).toBe(255);
    expect(await ask({ path })).toBe("hello there");
    await ended(first);
    await gone(path);
    const later = await forwarding("-R", forward(path));
    expect(await ask({ path })).toBe("hello there");
    await ended(later);
  });

  test("two at the same time: one of them has it", async () => {
    const path = join(open.folder, "race.sock");
    const both = await Promise.all([1, 2].map(() => forwarding("-R", forward(path))));
    expect(both.filter(({ exitCode }) => exitCode === 255)).toHaveLength(1);
    expect(await ask({ path })).toBe("hello there");
    await Promise.all(both.map((child) => ended(child)));
    await gone(path);
  });

  test("who removed it inside and forwards it again keeps the new one when the old one ends", async () => {
    const path = join(open.folder, "moved.sock");
    const first = await forwarding("-R", forward(path));
    await rm(path);
    const second = await forwarding("-R", forward(path));
    await ended(first);
    // What came before this connection has been seen.
    await open.ssh(["ws@127.0.0.1", "true"]);
    expect(await ask({ path })).toBe("hello there");
    await ended(second);
    await gone(path);
  });

  test("a socket that a dead program left is replaced; a file, or somebody's socket, is not", async () => {
    const path = join(open.folder, "left.sock");
    const dead = createServer();
    dead.listen(path);
    await once(dead, "listening");
    // What closing removes is only the name that it bound.
    await link(path, `${path}.kept`);
    expect(await ended(await forwarding("-R", forward(path)))).toBe(255);
    dead.close();
    await once(dead, "close");
    const child = await forwarding("-R", forward(`${path}.kept`));
    expect(await ask({ path: `${path}.kept` })).toBe("hello there");
    await ended(child);
    const file = join(open.folder, "file");
    await writeFile(file, "work");
    expect(await ended(await forwarding("-R", forward(file)))).toBe(255);
    expect(statSync(file).size).toBe(4);
  });

  test("where there is no folder for it, it is refused, and nothing is left behind", async () => {
    const before = await readdir(open.folder);
    const path = join(open.folder, "no/such.sock");
    expect(await ended(await forwarding("-R", forward(path)))).toBe(255);
    expect(await readdir(open.folder)).toEqual(before);
  });
});

describe("ssh -L to a unix socket", () => {
  test("leads to a program inside, to its end in both directions", async () => {
    const inside = join(open.folder, "inside.sock");
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      socket.on("end", () => socket.end(`${Buffer.concat(chunks).toString()} and back`));
    });
    server.listen(inside);
    await once(server, "listening");
    const local = join(open.folder, "local.sock");
    const child = await forwarding("-L", `${local}:${inside}`);
    expect(await ask({ path: local })).toBe("there and back");
    await ended(child);
    server.close();
  });

  test("where nobody listens, the connection is closed at once", async () => {
    const local = join(open.folder, "nobody.sock");
    const child = await forwarding("-L", `${local}:${open.folder}/nobody-there`);
    const socket = connect({ path: local });
    await once(socket, "close");
    await ended(child);
  });
});
