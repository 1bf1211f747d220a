import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfinedFetch, type Fetched } from "../../../server/workspaces/confined-fetch.ts";
import { testAuthority } from "../../helpers/certificates.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

const limits = { maxBytes: 1000, signal: new AbortController().signal };

/** A server on a free port of the loopback, closed with its connections at the end. */
async function listen(server: Server): Promise<AsyncDisposable & { port: number; host: string }> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function serve(listener: RequestListener) {
  return listen(createServer(listener));
}

function allowing(...allowNet: string[]): ConfinedFetch {
  return new ConfinedFetch({ allowNet, caFile: undefined });
}

function failure(fetched: Fetched): string {
  return "failure" in fetched ? fetched.failure : `fetched ${fetched.text}`;
}

describe("a URL that a stranger wrote", () => {
  test.each([
    "http://127.0.0.1/x",
    "http://localhost/x",
    "http://[::1]/x",
    "http://0/x",
    "http://2130706433/x",
    "http://[::ffff:127.0.0.1]/x",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/x",
    "https://192.168.1.1/x",
    "http://172.16.0.1/x",
    "http://100.64.0.1/x",
    "http://[fd00::1]/x",
    "http://[fe80::1]/x",
    "http://[64:ff9b::7f00:1]/x",
  ])("that leads to a private address is refused: %s", async (url) => {
    const tookMs = stopwatch();
    expect(failure(await allowing().text(url, limits))).toContain("not on the internet");
    expect(tookMs()).toBeLessThan(5000);
  });

  test("that leads to this machine's own addresses is refused, before anything is dialled", async () => {
    let connections = 0;
    await using server = await listen(
      createTcpServer(() => {
        connections += 1;
      }),
    );
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    for (const { address, family } of own) {
      const host = family === "IPv6" ? `[${address.replace(/%.*/, "")}]` : address;
      const found = await allowing().text(`http://${host}:${server.port}/`, limits);
      expect(failure(found)).toContain("not on the internet");
    }
    expect(connections).toBe(0);
  });

  test("is fetched where ONELOOP_ALLOW_NET names it: by address, range or name, at that port", async () => {
    await using server = await serve((_, response) => response.end("schemaVersion: 2.2.0"));
    const url = `http://${server.host}/devfile.yaml`;
    const text = { text: "schemaVersion: 2.2.0" };
    expect(await allowing(server.host).text(url, limits)).toEqual(text);
    expect(await allowing(`127.0.0.0/8:${server.port}`).text(url, limits)).toEqual(text);
    const named = `http://localhost:${server.port}/devfile.yaml`;
    expect(await allowing(`localhost:${server.port}`).text(named, limits)).toEqual(text);
    expect(failure(await allowing(`127.0.0.1:1`).text(url, limits))).toContain("not on");
    expect(failure(await allowing(`10.0.0.0/8:${server.port}`).text(url, limits))).toContain(
      "not on",
    );
  });

  test("may redirect, but not to what it could not name itself", async () => {
    await using inner = await serve((_, response) => response.end("secret"));
    await using server = await serve((request, response) => {
      const to = request.url === "/in" ? `http://${inner.host}/` : "/end";
      if (request.url === "/end") response.end("end");
      else response.writeHead(302, { location: to }).end();
    });
    const fetch = allowing(server.host);
    expect(await fetch.text(`http://${server.host}/begin`, limits)).toEqual({ text: "end" });
    expect(failure(await fetch.text(`http://${server.host}/in`, limits))).toContain(
      "not on the internet",
    );
    const both = allowing(server.host, inner.host);
    expect(await both.text(`http://${server.host}/in`, limits)).toEqual({ text: "secret" });
  });

  test.each([
    ["for ever", "/", "redirects more than 5 times"],
    ["to a file of this machine", "file:///etc/passwd", "is not followed"],
  ])("that redirects %s is given up", async (_, location, expected) => {
    await using server = await serve((_request, response) =>
      response.writeHead(302, { location }).end(),
    );
    const found = await allowing(server.host).text(`http://${server.host}/`, limits);
    expect(failure(found)).toContain(expected);
  });

  const body = "schemaVersion: 2.2.0\n";
  test.each([
    ["says that it is large", "content-length: 5000000000", body, "too large"],
    ["sends more than is read", "", body.repeat(5000), "too large"],
    ["says that it sends more", "content-length: 500", body, "cannot be fetched"],
    ["breaks off in the middle", "transfer-encoding: chunked", `15\r\n${body}\r\n`, "cannot"],
    ["breaks off in a chunk", "transfer-encoding: chunked", `50\r\n${body}`, "cannot be fetched"],
    ["says two lengths", "content-length: 21\r\ncontent-length: 9", body, "cannot be fetched"],
    // RFC 9112, section 6.3: what comes after that belongs to no answer.
    ["says that it sends less", "content-length: 13", body, "fetched schemaVersion"],
    ["says what it sends", "content-length: 21", body, `fetched ${body}`],
  ])("that %s gives no text but the whole, and costs no memory", async (_, head, sent, said) => {
    await using server = await listen(
      createTcpServer((socket) => {
        socket.on("error", () => socket.destroy());
        const lines = ["HTTP/1.1 200 OK", ...(head === "" ? [] : [head]), "connection: close"];
        socket.end(`${lines.join("\r\n")}\r\n\r\n${sent}`);
      }),
    );
    const tookMs = stopwatch();
    const found = failure(await allowing(server.host).text(`http://${server.host}/`, limits));
    expect(tookMs()).toBeLessThan(5000);
    if (said.startsWith("fetched")) expect(found).toBe(said);
    else expect(found).toContain(said);
  });

  test.each([
    ["never answers", () => undefined],
    ["answers one byte a second", drip],
  ])("that %s is given up within 5 s", async (_, onConnection) => {
    await using server = await listen(createTcpServer(onConnection));
    const tookMs = stopwatch();
    const found = await allowing(server.host).text(`http://${server.host}/`, limits);
    expect(failure(found)).toContain("did not answer within 4 s");
    expect(tookMs()).toBeLessThan(5000);
  });

  test("that answers with an error says which", async () => {
    await using server = await serve((_, response) => response.writeHead(404).end());
    const found = await allowing(server.host).text(`http://${server.host}/`, limits);
    expect(failure(found)).toContain("answers with status 404");
  });

  test("is dialled at the address that was judged: another answer of the resolver is not asked for", async () => {
    await using server = await serve((request, response) => response.end(request.headers.host));
    const answers = [["127.0.0.1"], ["10.0.0.1"]];
    const fetch = new ConfinedFetch({
      allowNet: [`rebind.test:${server.port}`],
      caFile: undefined,
      resolve: () => Promise.resolve(answers.shift() ?? []),
    });
    const host = `rebind.test:${server.port}`;
    expect(await fetch.text(`http://${host}/`, limits)).toEqual({ text: host });
    expect(answers).toEqual([["10.0.0.1"]]);
  });

  test("whose name has a private address beside a public one is refused", async () => {
    const fetch = new ConfinedFetch({
      allowNet: [],
      caFile: undefined,
      resolve: () => Promise.resolve(["192.0.2.1", "10.0.0.1"]),
    });
    expect(failure(await fetch.text("http://both.test/", limits))).toContain("not on the internet");
  });

  test("over TLS is trusted where ONELOOP_CA_FILE vouches for it, and else not", async () => {
    const folder = await mkdtemp(join(tmpdir(), "oneloop-fetch-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { caFile, tls } = await testAuthority(folder, "localhost");
    await using server = await listen(
      createTlsServer(tls, (_, response) => response.end("trusted")),
    );
    const url = `https://localhost:${server.port}/`;
    const allowNet = [`localhost:${server.port}`];
    const trusting = new ConfinedFetch({ allowNet, caFile });
    expect(await trusting.text(url, limits)).toEqual({ text: "trusted" });
    expect(failure(await allowing(...allowNet).text(url, limits))).toContain("cannot be fetched");
  });
});

function drip(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.write("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
  const timer = setInterval(() => socket.write("x"), 1000);
  socket.on("close", () => clearInterval(timer));
}
