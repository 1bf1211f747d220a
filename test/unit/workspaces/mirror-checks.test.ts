import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import {
  connect,
  createServer as createTcp,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { Probe } from "../../../server/protocol/service.ts";
import {
  check,
  type CheckParts,
  type CheckResult,
} from "../../../server/workspaces/mirror/checks.ts";
import { testAuthority } from "../../helpers/certificates.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const never = new AbortController().signal;

async function portOf(server: TcpServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A real connection to this machine. */
const dial = async (port: number): Promise<Socket> => {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  // As one that a head was read from before.
  return socket.pause();
};

const ask = (
  asked: Probe["check"],
  parts: Partial<CheckParts> = {},
  timeoutS = 5,
): Promise<CheckResult> =>
  check(
    { check: asked, timeoutS },
    { dial, exec: () => Promise.reject(new Error("nothing is run")), ...parts },
    never,
  );

describe("an http probe", () => {
  const http = (port: number, path: string, headers: Record<string, string> = {}) =>
    ({ kind: "http", scheme: "http", port, path, headers }) as const;

  it("takes 200 to 399 for a yes, and sends the headers that it has", async () => {
    const port = await portOf(
      createHttp((request, response) => {
        response.statusCode = Number(request.url?.slice(1));
        if (request.headers.host !== "shop.example") response.statusCode = 421;
        // A body that nobody waits for.
        response.flushHeaders();
      }),
    );
    const host = { Host: "shop.example" };
    for (const status of [200, 204, 302, 399]) {
      expect(await ask(http(port, `/${status}`, host))).toEqual({ kind: "yes" });
    }
    for (const status of [400, 404, 500]) {
      expect(await ask(http(port, `/${status}`, host))).toEqual({
        kind: "no",
        why: `/${status} answers with ${status}`,
      });
    }
    expect((await ask(http(port, "/200"))).kind).toBe("no");
  });

  it("speaks TLS to who wants it, whatever his certificate", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ol-"));
    ends.push(() => rm(folder, { recursive: true }));
    const { key, cert } = (await testAuthority(folder, "127.0.0.1")).tls;
    const port = await portOf(createHttps({ key, cert }, (_request, response) => response.end()));
    const https = { ...http(port, "/"), scheme: "https" } as const;
    expect(await ask(https)).toEqual({ kind: "yes" });
    expect((await ask(http(port, "/"))).kind).toBe("no");
  });

  it("does not wait longer than its time, nor for a program that cuts the connection", async () => {
    const sockets: Socket[] = [];
    const silent = await portOf(createTcp((socket) => void sockets.push(socket)));
    expect(await ask(http(silent, "/"), {}, 0.05)).toEqual({
      kind: "no",
      why: "no answer within 0.05 s",
    });
    const rude = await portOf(createTcp((socket) => void socket.destroy()));
    expect(await ask(http(rude, "/"))).toMatchObject({ kind: "no" });
    for (const socket of sockets) socket.destroy();
  });
});

describe("a tcp probe", () => {
  it("asks who listens", async () => {
    const port = await portOf(createTcp((socket) => void socket.end()));
    expect(await ask({ kind: "tcp", port })).toEqual({ kind: "yes" });
    const refused = new OneloopError("conflict", "Nothing answers at api:81 (ECONNREFUSED).");
    const none = await ask({ kind: "tcp", port }, { dial: () => Promise.reject(refused) });
    expect(none).toEqual({ kind: "no", why: "Nothing answers at api:81 (ECONNREFUSED)." });
  });

  it("says nothing of a service where nobody could ask", async () => {
    const away = new OneloopError("supervisor-unreachable", "It does not answer.");
    const asked = await ask({ kind: "tcp", port: 1 }, { dial: () => Promise.reject(away) });
    expect(asked).toEqual({ kind: "unknown", why: "It does not answer." });
  });

  it("closes a connection that comes when its time is over", async () => {
    let come = (_socket: Socket): void => undefined;
    const late = new Promise<Socket>((resolve) => (come = resolve));
    expect((await ask({ kind: "tcp", port: 1 }, { dial: () => late }, 0.01)).kind).toBe("no");
    const port = await portOf(createTcp((socket) => void socket.resume()));
    const socket = await dial(port);
    const closed = once(socket, "close");
    come(socket);
    await closed;
  });
});

it("an exec probe asks for status 0", async () => {
  const run = (status: number) =>
    ask({ kind: "exec", command: ["pg_isready"] }, { exec: async () => status });
  expect(await run(0)).toEqual({ kind: "yes" });
  expect(await run(2)).toEqual({ kind: "no", why: "its check ended with status 2" });
});

it.each([
  ["SERVING", "shop.Api", Buffer.from([0, 0, 0, 0, 2, 0x08, 1]), "yes"],
  ["SERVING as a whole", "", Buffer.from([0, 0, 0, 0, 2, 0x08, 1]), "yes"],
  ["NOT_SERVING", "shop.Api", Buffer.from([0, 0, 0, 0, 2, 0x08, 2]), "no"],
  ["nothing", "shop.Api", Buffer.alloc(0), "no"],
])("a grpc probe takes %s as it should", async (_name, service, answer, kind) => {
  let asked = Buffer.alloc(0);
  const server = createHttp2();
  server.on("stream", (stream, headers) => {
    expect(headers[":path"]).toBe("/grpc.health.v1.Health/Check");
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      asked = Buffer.concat(pieces);
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(answer);
    });
  });
  const port = await portOf(server);
  expect((await ask({ kind: "grpc", port, service })).kind).toBe(kind);
  const message = service === "" ? "" : `\x0a${String.fromCodePoint(service.length)}${service}`;
  expect(asked.subarray(5).toString()).toBe(message);
  expect(asked.readUInt32BE(1)).toBe(message.length);
});
