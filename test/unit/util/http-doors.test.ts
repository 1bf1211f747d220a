import { once } from "node:events";
import type { Server } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { createHttpServer, listenHttp } from "../../../server/util/http-doors.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";

async function listening(server: { listen: Server["listen"] } & Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function dial(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect(port, host);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

describe("a server for both doors", () => {
  it("ends a connection that says nothing or half a head, and no upload that takes longer", async () => {
    const server = createHttpServer({ headersTimeoutMs: 300, checkEveryMs: 50 });
    server.on("request", (request, response) => {
      let size = 0;
      request.on("data", (chunk: Buffer) => (size += chunk.length));
      request.on("end", () => response.end(`took ${size}`));
    });
    const port = await listening(server);
    try {
      const upload = await dial(port);
      const arrived = once(server, "request");
      upload.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
      await arrived;
      const silent = await dial(port);
      const half = await dial(port);
      half.write("GET / HTTP/1.1\r\nHost: x\r\nX-Half: ");
      silent.resume();
      half.resume();
      await Promise.all([once(silent, "close"), once(half, "close")]);
      upload.write("cd");
      const [answer] = (await once(upload, "data")) as [Buffer];
      expect(answer.toString()).toContain("took 4");
      upload.destroy();
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it("holds so many connections and no more, and takes the next when one has ended", async () => {
    const server = createHttpServer({ connections: 2 });
    server.on("request", (_request, response) => response.end("here"));
    const port = await listening(server);
    try {
      const held = [await dial(port), await dial(port)] as const;
      const dropped = await dial(port);
      dropped.resume();
      await once(dropped, "close");
      held[1].write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      held[1].resume();
      await once(held[1], "close");
      const next = await dial(port);
      next.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      const [answer] = (await once(next, "data")) as [Buffer];
      expect(answer.toString()).toContain("here");
      for (const socket of [...held, next]) socket.destroy();
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it("takes every header of a head, or refuses the head", async () => {
    const server = createHttpServer();
    server.on("request", (request, response) => response.end(String(request.headers.origin)));
    const port = await listening(server);
    try {
      const many = await dial(port);
      many.write(
        `GET / HTTP/1.1\r\n${"a:b\r\n".repeat(3000)}Host: x\r\nOrigin: http://evil\r\n\r\n`,
      );
      const [answer] = (await once(many, "data")) as [Buffer];
      expect(answer.toString()).toContain("http://evil");
      const large = await dial(port);
      large.write(`GET / HTTP/1.1\r\nHost: x\r\n${"ab:cdefgh\r\n".repeat(3000)}\r\n`);
      expect(String((await once(large, "data"))[0])).toContain("431");
      many.destroy();
      large.destroy();
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe("listening on a loopback address", () => {
  /** A program that was there first. */
  async function squatter(host: string): Promise<AsyncDisposable & { port: number }> {
    const server = createServer();
    server.listen({ host, port: 0, ipv6Only: true });
    await once(server, "listening");
    return {
      port: (server.address() as AddressInfo).port,
      [Symbol.asyncDispose]: async () => {
        server.close();
        await once(server, "close");
      },
    };
  }

  it.each(["127.0.0.1", "localhost", "0.0.0.0", "::1"])(
    "%s takes both, so that no browser gets to anybody else",
    async (host) => {
      await using lifetime = new Lifetime();
      const { port, serve } = await listenHttp(lifetime, host, 0);
      serve({
        request: (_request, response) => response.end("ours"),
        upgrade: (_request, socket) => socket.destroy(),
      });
      for (const address of ["127.0.0.1", "::1"]) {
        const socket = await dial(port, address);
        socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(String((await once(socket, "data"))[0])).toContain("ours");
        socket.destroy();
      }
    },
  );

  it("ends while a connection that was upgraded is held by its client", async () => {
    const lifetime = new Lifetime();
    const { port, serve } = await listenHttp(lifetime, "127.0.0.1", 0);
    serve({
      request: (_request, response) => response.end(),
      upgrade: (_request, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    });
    const socket = await dial(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    await once(socket, "data");
    const closed = once(socket, "close");
    await lifetime[Symbol.asyncDispose]();
    await closed;
  });

  it.each([
    ["127.0.0.1", "::1"],
    ["0.0.0.0", "::1"],
    ["::1", "127.0.0.1"],
  ])("%s is refused where a program has the port at %s, and holds nothing", async (host, other) => {
    await using thief = await squatter(other);
    await using lifetime = new Lifetime();
    await expect(listenHttp(lifetime, host, thief.port)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(`${thief.port} of ${other} .*ONELOOP_PORT`) as string,
    });
    await using free = new Lifetime();
    const again = createServer();
    again.listen({ host, port: thief.port, ipv6Only: true });
    await once(again, "listening");
    free.defer(() => again.close());
  });

  it("an address that is not this machine's is refused with the setting's name", async () => {
    // TEST-NET-1 (RFC 5737): no machine has it.
    const host = "192.0.2.1";
    await using lifetime = new Lifetime();
    await expect(listenHttp(lifetime, host, 0)).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(`no address ${host}\\. Set ONELOOP_HOST`) as string,
    });
  });
});
