import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { secret, startApi, untilClosed, type ApiRig } from "./rig.ts";

let api: ApiRig;
beforeAll(async () => {
  api = await startApi({ portSignIn: async ({ id }, to) => (id === "ada" ? to.host : null) });
});
afterAll(() => api[Symbol.asyncDispose]());
afterEach(() => {
  vi.useRealTimers();
});

const chunkBytes = 64 * 1024;
/** A chunk of a chunked body. */
const chunk = Buffer.concat([
  Buffer.from(`${chunkBytes.toString(16)}\r\n`),
  Buffer.alloc(chunkBytes, 0x20),
  Buffer.from("\r\n"),
]);

function chunkedHead(more = ""): string {
  return (
    `POST /trpc/auth.exchange HTTP/1.1\r\nHost: 127.0.0.1:${api.port}\r\n${more}` +
    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
  );
}

describe("a body", () => {
  it("of a stranger is taken up to its limit, in chunks too", async () => {
    const socket = await api.dial();
    socket.write(chunkedHead());
    const text = '{"code":"abcdefgh","kind":"token","name":"n"}';
    socket.write(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toContain("200 OK");
    expect(answer.toString()).toContain("oneloop_8");
    socket.destroy();
  });

  it("without an end is refused as soon as it is too long, and its connection closed", async () => {
    const socket = await api.dial();
    const answered = untilClosed(socket);
    socket.write(chunkedHead());
    // 400 MB, if somebody takes them; nobody who reads less than this much keeps more of it.
    let sent = 0;
    const budget = 400 * 1024 * 1024;
    const before = process.memoryUsage().rss;
    while (sent < budget && !socket.destroyed && !socket.readableEnded) {
      sent += chunk.length;
      if (!socket.write(chunk)) {
        await Promise.race([once(socket, "drain"), answered]);
        if (socket.writableNeedDrain) break;
      }
    }
    expect(await answered).toMatch(/^HTTP\/1\.1 413 [^]*connection: close/i);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    socket.destroy();
  });

  it("that says how long it is, too long, is refused unread; a user's may be longer", async () => {
    const length = 600_000;
    const ask = async (authorization: string): Promise<string> => {
      const socket = await api.dial();
      socket.write(
        `POST /trpc/auth.exchange HTTP/1.1\r\nHost: 127.0.0.1:${api.port}\r\n${authorization}` +
          `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${" ".repeat(length)}`,
      );
      const [answer] = (await once(socket, "data")) as [Buffer];
      socket.destroy();
      return answer.toString().split(" ")[1] ?? "";
    };
    expect(await ask("")).toBe("413");
    expect(await ask(`Authorization: Bearer ${secret}\r\n`)).toBe("400");
  });

  it("that does not come in time ends its connection", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    for (const request of [
      `POST /trpc/auth.exchange HTTP/1.1\r\nHost: 127.0.0.1:${api.port}\r\nContent-Length: 10\r\n\r\n{`,
      `GET / HTTP/1.1\r\nHost: ${api.host}\r\nContent-Length: 10\r\n\r\n{`,
    ]) {
      const asked = once(api.server, "request");
      const socket = await api.dial();
      const closed = untilClosed(socket);
      socket.write(request);
      await asked;
      vi.advanceTimersByTime(60_000);
      await closed;
    }
  });
});

describe("the sign-in on a port's host", () => {
  const ask = async (to: string): Promise<string> => {
    const socket = await api.dial();
    const answered = untilClosed(socket);
    socket.write(
      `GET /port-sign-in?to=${encodeURIComponent(to)} HTTP/1.1\r\nHost: ${api.host}\r\n` +
        `Cookie: __Host-oneloop-session=${secret}\r\nConnection: close\r\n\r\n`,
    );
    return answered;
  };

  it("goes on to the port with a code", async () => {
    const to = "http://3000-w.localhost:7700/a?b=c";
    expect(await ask(to)).toMatch(
      /location: http:\/\/3000-w\.localhost:7700\/\.oneloop\/sign-in\?code=3000-w/,
    );
  });

  it("gives no code for what is no URL, and none that the rules refuse", async () => {
    await using refusing = await startApi();
    const to = encodeURIComponent("http://3000-w.localhost:7700/");
    const socket = await refusing.dial();
    const answered = untilClosed(socket);
    socket.write(
      `GET /port-sign-in?to=${to} HTTP/1.1\r\nHost: ${refusing.host}\r\n` +
        `Cookie: __Host-oneloop-session=${secret}\r\nConnection: close\r\n\r\n`,
    );
    expect(await answered).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask("nonsense")).toContain("400 Bad Request");
  });
});
