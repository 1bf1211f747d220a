import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { machineAddress } from "../../helpers/ports.ts";
import { testSupervisor } from "./harness.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
let servers: Server[] = [];
beforeEach(async () => {
  supervisor = await testSupervisor();
});
afterEach(async () => {
  for (const server of servers) server.close();
  servers = [];
  await supervisor[Symbol.asyncDispose]();
});

async function serve(host: string, onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  servers.push(server);
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function all(socket: Socket, rest: Buffer): Promise<Buffer> {
  const chunks = [rest];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("bytes pass both ways, and a half-closed direction leaves the other open", async () => {
  // Answers only after the end of the question: without half-close nothing would come.
  const port = await serve("127.0.0.1", (socket) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => socket.end(Buffer.concat([Buffer.from("echo:"), ...chunks])));
  });
  const { status, socket, rest } = await supervisor.dial({ port });
  expect(status).toBe(101);
  const question = randomBytes(5 * 1024 * 1024);
  socket.end(question);
  const answer = await all(socket, rest);
  expect(answer.equals(Buffer.concat([Buffer.from("echo:"), question]))).toBe(true);
});

test("localhost is ::1 too", async () => {
  const port = await serve("::1", (socket) => socket.end("six"));
  const { socket, rest } = await supervisor.dial({ host: "localhost", port });
  expect((await all(socket, rest)).toString()).toBe("six");
});

test("localhost is the machine's own address too", async () => {
  const host = machineAddress();
  const port = await serve(host, (socket) => socket.end(`at ${host}`));
  const { socket, rest } = await supervisor.dial({ port });
  expect((await all(socket, rest)).toString()).toBe(`at ${host}`);
});

test("a path is a unix socket, from the home folder on", async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.end("by path"));
  servers.push(server);
  server.listen(join(supervisor.home, "here.sock"));
  await once(server, "listening");
  for (const path of ["here.sock", join(supervisor.home, "here.sock")]) {
    const { status, socket, rest } = await supervisor.dial({ path });
    expect(status).toBe(101);
    expect((await all(socket, rest)).toString()).toBe("by path");
    socket.end();
  }
  expect((await supervisor.dial({ path: "nowhere.sock" })).status).toBe(502);
});

test("where nobody listens, the answer is 502 with a sentence", async () => {
  const port = await serve("127.0.0.1", () => undefined);
  servers.pop()?.close();
  const { status, socket, rest } = await supervisor.dial({ port });
  expect(status).toBe(502);
  const answer = JSON.parse((await all(socket, rest)).toString()) as { message: string };
  expect(answer.message).toContain(`localhost:${port}`);
  expect(answer.message).toContain("ECONNREFUSED");
});

test("a client that is cut off ends the connection inside", async () => {
  let reportEnd: (code: string | undefined) => void;
  const insideEnded = new Promise<string | undefined>((resolve) => {
    reportEnd = resolve;
  });
  const port = await serve("127.0.0.1", (socket) => {
    socket.on("error", (error: NodeJS.ErrnoException) => reportEnd(error.code));
    socket.resume();
    socket.write("hello");
  });
  const { socket, rest } = await supervisor.dial({ port });
  if (rest.length === 0) await once(socket, "readable");
  socket.resetAndDestroy();
  expect(await insideEnded).toBe("ECONNRESET");
});
