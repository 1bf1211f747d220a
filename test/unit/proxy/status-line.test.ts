import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startRig, type Rig } from "./rig.ts";

let rig: Rig;
let answer = "";
const sockets = new Set<Socket>();
/** A program in the workspace that answers every upgrade with the same bytes. */
const program = createServer((socket) => {
  sockets.add(socket);
  socket.on("error", () => undefined);
  socket.once("data", () => socket.write(answer, "latin1"));
});
let host: string;
let cookie: string;

beforeAll(async () => {
  rig = await startRig();
  program.listen(0, "127.0.0.1");
  await once(program, "listening");
  host = rig.host((program.address() as AddressInfo).port);
  cookie = await rig.cookie(host);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  program.close();
  await rig[Symbol.asyncDispose]();
});

async function upgrade(): Promise<Socket> {
  const socket = await rig.dial();
  socket.on("error", () => undefined);
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nCookie: ${cookie}\r\n` +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  return socket;
}

it.each([
  "HTTP/1.1 101 S\nSet-Cookie: __Host-oneloop-port=x; Path=/; Secure\r\nUpgrade: websocket\r\n\r\n",
  "HTTP/1.1 101 S\rSet-Cookie: a=b\r\nUpgrade: websocket\r\n\r\n",
  "HTTP/1.1 101 S\u0000\r\nUpgrade: websocket\r\n\r\n",
  "HTTP/1.1 2000 OK\r\n\r\n",
  "nonsense\r\n\r\n",
])("a status line that is none gets no further: %j", async (said) => {
  answer = said;
  const socket = await upgrade();
  const [got] = (await once(socket, "data")) as [Buffer];
  expect(got.toString("latin1")).toMatch(/^HTTP\/1\.1 502 /);
  expect(got.toString("latin1")).not.toContain("Set-Cookie");
  socket.destroy();
});

it.each([
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 101 ",
  "HTTP/1.1 101",
  "HTTP/1.1 101 \u00fc",
])("a usual one does: %j", async (line) => {
  answer = `${line}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`;
  const socket = await upgrade();
  const [got] = (await once(socket, "data")) as [Buffer];
  expect(got.toString("latin1")).toContain(`${line}\r\n`);
  socket.destroy();
});

it("an answer other than 101 ends the connection, though the browser keeps its side open", async () => {
  answer = "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
  const closed = once(program, "connection").then(async ([socket]) => {
    await once(socket as Socket, "data");
    (socket as Socket).end();
  });
  const socket = await upgrade();
  socket.allowHalfOpen = true;
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await closed;
  await once(socket, "end");
  expect(text).toContain("400 Bad");
  // A write to a connection that the other side has let go of is reset; each question takes a while.
  for (let asked = 0; asked < 50 && !socket.destroyed; asked += 1) {
    socket.write("x");
    await rig.get(`nobody.localhost:${rig.port}`, "/");
  }
  expect(socket.destroyed).toBe(true);
});
