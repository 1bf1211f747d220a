import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { serviceLabel } from "../../../server/ports/hostname.ts";
import { longService, sessionOf, startProgram, startRig, type Program, type Rig } from "./rig.ts";

let rig: Rig;
let echo: Program;
let host: string;
let cookie: string;
const arrived: IncomingMessage[] = [];

beforeAll(async () => {
  rig = await startRig();
  echo = await startProgram((incoming, response) => {
    arrived.push(incoming);
    const { method, url, rawHeaders } = incoming;
    incoming.resume();
    incoming.on("end", () => response.end(JSON.stringify({ method, url, rawHeaders })));
  });
  host = rig.host(echo.port);
  cookie = await rig.cookie(host);
});
afterAll(async () => {
  await echo[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

const page = { accept: "text/html,*/*", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" };

describe("the signed-in owner", () => {
  test("reaches a port, with the path, query, method, host and headers as they were sent", async () => {
    const { status, body } = await rig.get(host, "/a/%2F?b=c&d=%20", { cookie, "x-mine": "1" });
    const seen = JSON.parse(body) as { method: string; url: string; rawHeaders: string[] };
    expect(status).toBe(200);
    expect(seen).toMatchObject({ method: "GET", url: "/a/%2F?b=c&d=%20" });
    expect(seen.rawHeaders.join("|")).toContain(`Host|${host}`);
    expect(seen.rawHeaders.join("|")).toContain("x-mine|1");
  });

  test("gives none of Oneloop's cookies and tokens to the program, and no forged address", async () => {
    const { body } = await rig.get(host, "/", {
      cookie: `a=1; ${cookie}; __Host-oneloop-session=s3cret; b=2`,
      authorization: "Bearer oneloop_s3cret",
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-host": "evil",
      "x-real-ip": "6.6.6.6",
      forwarded: "for=6.6.6.6",
      connection: "close, x-hop",
      "x-hop": "1",
    });
    const text = (JSON.parse(body) as { rawHeaders: string[] }).rawHeaders.join("|");
    expect(text).not.toMatch(/oneloop|s3cret|6\.6\.6\.6|evil|x-hop/i);
    expect(text.toLowerCase()).toContain("cookie|a=1; b=2");
    expect(text).toContain("X-Forwarded-For|127.0.0.1|X-Forwarded-Proto|http|X-Forwarded-Host|");
  });

  test("keeps an Authorization header that is the program's own", async () => {
    const { body } = await rig.get(host, "/", { cookie, authorization: "Bearer mine" });
    expect(body).toContain("Bearer mine");
  });

  test("gets the program's cookies, but none in Oneloop's name, and no header of the hop", async () => {
    await using program = await startProgram((_request, response) => {
      response.setHeader("Set-Cookie", ["mine=1", "__Host-oneloop-port=x", " __host-Oneloop-s=y"]);
      response.writeHead(200, {
        Connection: "keep-alive, X-Hop",
        "X-Hop": "1",
        "X-Text": "\u00fc",
      });
      response.end();
    });
    const to = rig.host(program.port);
    const answer = await rig.get(to, "/", { cookie: await rig.cookie(to) });
    expect(answer.headers["set-cookie"]).toEqual(["mine=1"]);
    expect(answer.headers["x-hop"]).toBeUndefined();
    expect(answer.headers["x-text"]).toBe("\u00fc");
  });

  test("gets HEAD, 204 and 304 without a body, and trailers after one", async () => {
    await using program = await startProgram((incoming, response) => {
      if (incoming.url === "/204") response.writeHead(204).end();
      else if (incoming.url === "/304") response.writeHead(304, { ETag: '"x"' }).end();
      else if (incoming.method === "HEAD")
        response.writeHead(200, { "Content-Length": "42" }).end();
      else {
        response.writeHead(200, { Trailer: "X-Sum" });
        response.write("body");
        response.addTrailers({ "X-Sum": "7" });
        response.end();
      }
    });
    const to = rig.host(program.port);
    const signed = { cookie: await rig.cookie(to) };
    expect(await rig.get(to, "/204", signed)).toMatchObject({ status: 204, body: "" });
    expect(await rig.get(to, "/304", signed)).toMatchObject({ status: 304, body: "" });
    const head = await rig.get(to, "/", signed, "HEAD");
    expect(head.headers["content-length"]).toBe("42");
    expect(await rig.get(to, "/", signed)).toMatchObject({
      body: "body",
      trailers: { "x-sum": "7" },
    });
  });

  test("uploads and downloads 50 MB byte for byte, and a slow side holds the other", async () => {
    const total = 50 * 1024 * 1024;
    const block = randomBytes(64 * 1024);
    const blocks = total / block.length;
    const wanted = createHash("sha256");
    for (let n = 0; n < blocks; n += 1) wanted.update(block);
    const digest = wanted.digest("hex");
    let release = (): void => undefined;
    await using program = await startProgram((incoming, response) => {
      // Reads nothing until it is told to.
      release = () => {
        const hash = createHash("sha256");
        incoming.on("data", (chunk: Buffer) => hash.update(chunk));
        incoming.on("end", () => {
          response.setHeader("X-Digest", hash.digest("hex"));
          let sent = 0;
          const more = (): void => {
            while (sent < blocks) {
              sent += 1;
              if (!response.write(block)) {
                response.once("drain", more);
                return;
              }
            }
            response.end();
          };
          more();
        });
      };
      begun();
    });
    let begun = (): void => undefined;
    const started = new Promise<void>((resolve) => (begun = resolve));
    const to = rig.host(program.port);
    const asked = request({
      host: "127.0.0.1",
      port: rig.port,
      method: "POST",
      path: "/up",
      agent: false,
      headers: {
        host: to,
        cookie: await rig.cookie(to),
        origin: `http://${to}`,
        "content-length": total,
        expect: "100-continue",
      },
    });
    asked.flushHeaders();
    await once(asked, "continue");
    let given = 0;
    const stalled = new Promise<void>((resolve) => {
      const more = (): void => {
        while (given < blocks) {
          given += 1;
          if (!asked.write(block)) {
            asked.once("drain", more);
            if (given * block.length > 4 * 1024 * 1024) resolve();
            return;
          }
        }
        resolve();
        asked.end();
      };
      more();
    });
    await started;
    await Promise.race([stalled, once(asked, "response")]);
    // The kernel's buffers on four hops hold some megabytes; the rest waits in the browser.
    expect(given * block.length).toBeLessThan(total);
    release();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    expect(answer.headers["x-digest"]).toBe(digest);
    const hash = createHash("sha256");
    for await (const chunk of answer) hash.update(chunk as Buffer);
    expect(hash.digest("hex")).toBe(digest);
  });

  test("sees each server-sent event when it is sent, also the head alone", async () => {
    let send = (_text: string): void => undefined;
    await using program = await startProgram((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.flushHeaders();
      send = (text) => response.write(text);
    });
    const to = rig.host(program.port);
    const asked = request({
      ...{ host: "127.0.0.1", port: rig.port, path: "/", agent: false },
      headers: { host: to, cookie: await rig.cookie(to) },
    }).end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    for (const text of ["data: 1\n\n", "data: 2\n\n"]) {
      send(text);
      const [chunk] = (await once(answer, "data")) as [Buffer];
      expect(chunk.toString()).toBe(text);
    }
    asked.destroy();
  });

  test("who closes the page ends the program's request; a program that breaks off ends the page's", async () => {
    let ended: Promise<unknown> = Promise.resolve();
    let begun = (): void => undefined;
    await using program = await startProgram((incoming, response) => {
      ended = once(response, "close");
      response.write("half");
      if (incoming.url === "/break") setImmediate(() => response.destroy());
      begun();
    });
    const to = rig.host(program.port);
    const signed = { cookie: await rig.cookie(to) };
    const started = new Promise<void>((resolve) => (begun = resolve));
    const asked = request({
      ...{ host: "127.0.0.1", port: rig.port, path: "/", agent: false },
      headers: { host: to, ...signed },
    }).end();
    asked.on("error", () => undefined);
    await started;
    asked.destroy();
    await ended;
    await expect(rig.get(to, "/break", signed)).rejects.toThrow(/aborted|reset/);
  });

  test("is told when nothing listens on a port, on a page and in text", async () => {
    const to = rig.host(1);
    const signed = { cookie: await rig.cookie(to) };
    const shown = await rig.get(to, "/", { ...page, ...signed });
    expect(shown.status).toBe(502);
    expect(shown.headers["content-type"]).toContain("text/html");
    expect(shown.body).toContain("Nothing listens on port 1 of ws");
    const text = await rig.get(to, "/", { ...signed, origin: `http://${to}` }, "POST");
    expect(text.status).toBe(502);
    expect(text.body).not.toContain("<");
  });

  test("is told when the workspace does not run, with a link to the app", async () => {
    const to = rig.host(2);
    const signed = { cookie: await rig.cookie(to) };
    rig.state = "stopped";
    const { status, body } = await rig.get(to, "/", { ...page, ...signed });
    rig.state = "running";
    expect(status).toBe(503);
    expect(body).toContain(`href="http://app.localhost:${rig.port}"`);
  });
});

describe("signing in on a port", () => {
  test("a page load goes by the app, which learns the whole address", async () => {
    const { status, headers, body } = await rig.get(host, "/deep?x=1", page);
    expect(status).toBe(302);
    const location = new URL(headers.location ?? "");
    expect(location.origin + location.pathname).toBe(
      `http://app.localhost:${rig.port}/port-sign-in`,
    );
    expect(location.searchParams.get("to")).toBe(`http://${host}/deep?x=1`);
    expect(body).not.toContain("ws does not");
  });

  test("a code works once, on its host, for half a minute, and makes a host-only cookie", async () => {
    const use = (code: string, on = host) =>
      rig.get(
        on,
        `/.oneloop/sign-in?code=${encodeURIComponent(code)}&to=${encodeURIComponent("/x?y")}`,
      );
    const code = rig.proxy.mintCode(sessionOf("ada"), host);
    expect((await use(code, rig.host(echo.port + 1))).status).toBe(400);
    const first = await use(code);
    expect(first.status).toBe(302);
    expect(first.headers.location).toBe("/x?y");
    expect(first.headers["set-cookie"]?.[0]).toMatch(
      /^__Host-oneloop-port=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect((await use(code)).status).toBe(400);
    const late = rig.proxy.mintCode(sessionOf("ada"), host);
    rig.clock.at += 30_001;
    expect((await use(late)).status).toBe(400);
    expect((await use(`${late}x`)).status).toBe(400);
    expect(() => rig.proxy.mintCode(sessionOf("ada"), "app.localhost")).toThrow(/not the address/);
  });

  test.each([
    "//evil.com",
    "/\\evil.com",
    "https://evil.com",
    "/%0d%0aX: y\r\nX: y",
    "/\t/evil",
    "",
  ])("never redirects to another host: %j", async (to) => {
    const code = encodeURIComponent(rig.proxy.mintCode(sessionOf("ada"), host));
    const path = `/.oneloop/sign-in?code=${code}&to=${encodeURIComponent(to)}`;
    expect((await rig.get(host, path)).headers.location).toBe("/");
  });

  test("a cookie is good for 12 hours, on its own host only, and cannot be made from a code", async () => {
    const other = rig.host(echo.port + 1);
    expect((await rig.get(other, "/", { cookie })).status).toBe(401);
    const code = rig.proxy.mintCode(sessionOf("ada"), host);
    expect((await rig.get(host, "/", { cookie: `__Host-oneloop-port=${code}` })).status).toBe(401);
    const at = rig.clock.at;
    rig.clock.at += 12 * 3600 * 1000 + 1;
    expect((await rig.get(host, "/", { cookie })).status).toBe(401);
    rig.clock.at = at;
  });
});

describe("a stranger", () => {
  test("gets the same answer for every workspace, whether it exists or not", async () => {
    for (const headers of [page, {}]) {
      const [known, unknown] = await Promise.all([
        rig.get(host, "/", headers),
        rig.get(rig.host(echo.port, "xx"), "/", headers),
      ]);
      expect(unknown.status).toBe(known.status);
      expect(unknown.body.replaceAll("xx", "ws")).toBe(known.body);
    }
    const bobs = await rig.cookie(host, "bob");
    const there = rig.host(echo.port, "xx");
    const seen = arrived.length;
    const known = await rig.get(host, "/", { ...page, cookie: bobs });
    const unknown = await rig.get(there, "/", { ...page, cookie: await rig.cookie(there, "bob") });
    expect([known.status, known.body]).toEqual([404, unknown.body]);
    expect(arrived.length).toBe(seen);
  });

  test("cannot let a second request in on the right of the first", async () => {
    const seen = arrived.length;
    const socket = await rig.dial();
    const stranger = rig.host(echo.port, "xx");
    socket.write(
      `GET /1 HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n\r\n` +
        `GET /2 HTTP/1.1\r\nHost: ${host}\r\n\r\n` +
        `GET /3 HTTP/1.1\r\nHost: ${stranger}\r\nCookie: ${cookie}\r\n\r\n` +
        `GET http://${host}/4 HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
    );
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(
      [200, 401, 401, 400].map((status) => `HTTP/1.1 ${status}`),
    );
    expect(arrived.slice(seen).map(({ url }) => url)).toEqual(["/1"]);
  });

  test("on another site cannot use the owner's cookie", async () => {
    const post = (origin: Record<string, string>) =>
      rig.get(host, "/", { cookie, ...origin }, "POST");
    expect((await post({ origin: `http://${host}` })).status).toBe(200);
    expect((await post({ origin: "http://evil.com" })).status).toBe(403);
    expect((await post({ origin: "null" })).status).toBe(403);
    expect((await post({ origin: `http://${rig.host(echo.port + 1)}` })).status).toBe(403);
    expect((await post({})).status).toBe(403);
    const image = { cookie, "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" };
    expect((await rig.get(host, "/", image)).status).toBe(403);
  });
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

/** However it ends. */
function closed(what: IncomingMessage | WebSocket): Promise<void> {
  what.on("error", () => undefined);
  return new Promise((resolve) => what.on("close", () => resolve()));
}

describe("who may see a port", () => {
  const own = (to: string): Record<string, string> => ({ origin: `http://${to}` });

  test("signed-in: everybody who is signed in, and nobody else; at once, both ways", async () => {
    const bob = { cookie: await rig.cookie(host, "bob") };
    expect((await rig.get(host, "/", bob)).status).toBe(404);
    rig.setVisibility(echo.port, "signed-in");
    expect((await rig.get(host, "/", bob)).status).toBe(200);
    expect((await rig.get(host, "/")).status).toBe(401);
    const shown = await rig.get(host, "/", page);
    expect(shown.headers.location).toContain("/port-sign-in?to=");
    rig.setVisibility(echo.port, "private");
    expect((await rig.get(host, "/", bob)).status).toBe(404);
    expect((await rig.get(host, "/", { cookie })).status).toBe(200);
  });

  test("public: everybody, without a cookie, whatever asks; but no other page in their name", async () => {
    const hook = (headers: Record<string, string> = {}) => rig.get(host, "/hook", headers, "POST");
    expect((await hook()).status).toBe(403);
    rig.setVisibility(echo.port, "public");
    expect((await rig.get(host, "/")).status).toBe(200);
    expect((await hook()).status).toBe(200);
    expect((await hook({ origin: "http://evil.com" })).status).toBe(403);
    expect((await hook({ origin: "null" })).status).toBe(403);
    // Another port of the workspace is as it was.
    expect((await rig.get(rig.host(echo.port + 1), "/")).status).toBe(401);
    rig.setVisibility(echo.port, "private");
    expect((await rig.get(host, "/")).status).toBe(401);
    expect((await hook()).status).toBe(403);
  });

  test("who may see it no longer is cut off: a WebSocket and a request that runs; the owner goes on", async () => {
    let streams = 0;
    await using program = await startProgram((_request, response) => {
      response.writeHead(200);
      response.write("begun");
      streams += 1;
    });
    const sockets = new WebSocketServer({ server: program.server });
    sockets.on("connection", (socket) => {
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
    const to = rig.host(program.port);
    rig.setVisibility(program.port, "public");
    const open = (headers: Record<string, string>) =>
      new WebSocket(`ws://127.0.0.1:${rig.port}/`, {
        headers: { host: to, ...own(to), ...headers },
      });
    const stranger = open({});
    const ada = open({ cookie: await rig.cookie(to) });
    await Promise.all([once(stranger, "open"), once(ada, "open")]);
    const asked = request({
      host: "127.0.0.1",
      port: rig.port,
      headers: { host: to },
      agent: false,
    });
    const [answer] = (await once(asked.end(), "response")) as [IncomingMessage];
    answer.resume();
    const cut = [closed(stranger), closed(answer)];
    rig.setVisibility(program.port, "private");
    await Promise.all(cut);
    expect(answer.complete).toBe(false);
    expect(streams).toBe(1);
    ada.send("still here");
    expect(String((await once(ada, "message"))[0])).toBe("still here");
    ada.terminate();
  });

  test("a port of a service is reached by the service's name or its label, if there is such a service", async () => {
    const at = (service: string) => `${echo.port}-${service}--ws.localhost:${rig.port}`;
    const reached = async (service: string) =>
      (await rig.get(at(service), "/", { cookie: await rig.cookie(at(service)) })).status;
    expect(await reached("no-such")).toBe(404);
    // Nobody answers to these names on this machine: the answer is the program's place, not ours.
    expect(await reached("db")).toBe(502);
    expect(await reached(serviceLabel(longService))).toBe(502);
    rig.setVisibility(echo.port, "public", "db");
    expect((await rig.get(at("db"), "/")).status).toBe(502);
    expect((await rig.get(host, "/")).status).toBe(401);
    rig.setVisibility(echo.port, "private", "db");
  });
});

describe("a session that is revoked", () => {
  test("takes its cookies on ports with it, and what they have open, at once", async () => {
    await using fresh = await startRig();
    await using program = await startProgram((_request, response) => {
      response.writeHead(200);
      response.write("begun");
    });
    const sockets = new WebSocketServer({ server: program.server });
    const to = fresh.host(program.port);
    const headers = { host: to, origin: `http://${to}`, cookie: await fresh.cookie(to) };
    const socket = new WebSocket(`ws://127.0.0.1:${fresh.port}/`, { headers });
    await once(socket, "open");
    const asked = request({ host: "127.0.0.1", port: fresh.port, headers, agent: false });
    const [answer] = (await once(asked.end(), "response")) as [IncomingMessage];
    answer.resume();
    const code = encodeURIComponent(fresh.proxy.mintCode(sessionOf("ada"), to));
    const ended = [closed(socket), closed(answer)];
    fresh.revoke("ada");
    await Promise.all(ended);
    expect((await fresh.get(to, "/", { cookie: headers.cookie })).status).toBe(401);
    // A code that was made before it makes no right.
    const { headers: late } = await fresh.get(to, `/.oneloop/sign-in?code=${code}&to=/`);
    const cookies = { cookie: late["set-cookie"]?.[0]?.split(";")[0] ?? "" };
    expect((await fresh.get(to, "/", cookies)).status).toBe(401);
    for (const client of sockets.clients) client.terminate();
  });

  test("is nobody's on a public port, which goes on to be everybody's", async () => {
    await using fresh = await startRig();
    const to = fresh.host(echo.port);
    const signed = { cookie: await fresh.cookie(to) };
    fresh.setVisibility(echo.port, "public");
    expect((await fresh.get(to, "/", signed)).status).toBe(200);
    fresh.revoke("ada");
    expect((await fresh.get(to, "/", signed)).status).toBe(200);
  });
});
