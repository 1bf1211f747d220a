import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sessionOf, startEcho, startProgram, startRig, type Program, type Rig } from "./rig.ts";

let rig: Rig;
let echo: Program;
let host: string;
let cookie: string;
const arrived: IncomingMessage[] = [];

beforeAll(async () => {
  rig = await startRig();
  echo = await startEcho((request) => arrived.push(request));
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

  test("is told when the database cannot say whose the port is, over WebSockets too", async () => {
    const unreadable = rig.host(echo.port, "unreadable");
    const { status, body } = await rig.get(unreadable, "/", { cookie });
    expect([status, body]).toEqual([503, expect.stringContaining("database does not answer")]);
    const socket = await rig.dial();
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${unreadable}\r\nOrigin: http://${unreadable}\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 503 [^]*database does not answer/);
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
