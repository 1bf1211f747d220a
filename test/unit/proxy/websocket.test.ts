import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { startEcho, startProgram, startRig, type Program, type Rig } from "./rig.ts";

let rig: Rig;
let echo: Program;
let host: string;
let cookie: string;

beforeAll(async () => {
  rig = await startRig();
  echo = await startEcho();
  host = rig.host(echo.port);
  cookie = await rig.cookie(host);
});
afterAll(async () => {
  await echo[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

describe("a WebSocket", () => {
  const open = (to: string, headers: Record<string, string>): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${rig.port}/live?x=1`, { headers: { host: to, ...headers } });
  const refusal = async (socket: WebSocket): Promise<number | undefined> => {
    socket.on("error", () => undefined);
    const [, answer] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    answer.resume();
    socket.terminate();
    return answer.statusCode;
  };

  test("of the owner's own page echoes, text and a megabyte of bytes, and shows no cookie of ours", async () => {
    await using program = await startProgram(() => undefined);
    const sockets = new WebSocketServer({ server: program.server });
    let head = "";
    sockets.on("connection", (socket, incoming) => {
      head = incoming.rawHeaders.join("|");
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
    const to = rig.host(program.port);
    const mine = await rig.cookie(to);
    const socket = open(to, { cookie: `a=1; ${mine}`, origin: `http://${to}` });
    await once(socket, "open");
    for (const message of [Buffer.from("text"), randomBytes(1024 * 1024)]) {
      socket.send(message);
      const [back] = (await once(socket, "message")) as [Buffer];
      expect(back.equals(message)).toBe(true);
    }
    expect(head).not.toContain("oneloop");
    expect(head).toContain("a=1");
    const closed = once(socket, "close");
    for (const client of sockets.clients) client.close(4001, "bye");
    expect((await closed)[0]).toBe(4001);
  });

  test("without a cookie, or from another page, or from no page, is refused", async () => {
    const origin = `http://${host}`;
    expect(await refusal(open(host, { origin }))).toBe(401);
    expect(await refusal(open(host, { cookie }))).toBe(403);
    expect(await refusal(open(host, { cookie, origin: "null" }))).toBe(403);
    expect(await refusal(open(host, { cookie, origin: "http://evil.com" }))).toBe(403);
    expect(await refusal(open(host, { cookie, origin: `http://app.localhost:${rig.port}` }))).toBe(
      403,
    );
    const bob = await rig.cookie(host, "bob");
    expect(await refusal(open(host, { cookie: bob, origin }))).toBe(404);
  });

  test("that the program refuses gives its answer, and no way behind it", async () => {
    await using program = await startProgram(() => undefined);
    const seen: string[] = [];
    const closed = new Promise<void>((resolve) => {
      program.server.on("upgrade", (incoming, socket) => {
        seen.push(incoming.url ?? "");
        socket.on("data", (chunk: Buffer) => seen.push(chunk.toString()));
        socket.on("error", () => undefined);
        socket.on("end", () => {
          socket.end();
          resolve();
        });
        // And stays open, as a program with keep-alive does.
        socket.write(
          "HTTP/1.1 403 No\r\nContent-Length: 2\r\nSet-Cookie: __Host-oneloop-port=x\r\n\r\nno",
        );
      });
    });
    const to = rig.host(program.port);
    const socket = await rig.dial();
    const behind = `GET /behind HTTP/1.1\r\nHost: ${to}\r\n\r\n`;
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: ${to}\r\nCookie: ${await rig.cookie(to)}\r\nOrigin: http://${to}\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n${behind}`,
    );
    let text = "";
    while (!text.endsWith("no")) text += String((await once(socket, "data"))[0]);
    expect(text).toMatch(/^HTTP\/1\.1 403 No\r\n[^]*\r\nConnection: close\r\n\r\nno$/);
    expect(text).not.toContain("oneloop");
    socket.end(behind);
    await closed;
    expect(seen).toEqual(["/ws"]);
  });

  test("to a port on which nothing listens is answered 502", async () => {
    const to = rig.host(1);
    const socket = open(to, { cookie: await rig.cookie(to), origin: `http://${to}` });
    expect(await refusal(socket)).toBe(502);
  });
});
