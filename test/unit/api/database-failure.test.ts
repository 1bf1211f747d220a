import { DrizzleQueryError } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WireError } from "../../../server/protocol/errors.ts";
import { secret, startApi, untilClosed, type ApiRig } from "./rig.ts";

let api: ApiRig;
beforeAll(async () => {
  const cause = new Error("Connection terminated unexpectedly");
  api = await startApi({ databaseFailure: new DrizzleQueryError("select", [], cause) });
});
afterAll(() => api[Symbol.asyncDispose]());

async function answerTo(head: readonly string[]): Promise<{ status: number; body: string }> {
  const socket = await api.dial();
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const text = await untilClosed(socket);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
  return { status, body: text.slice(text.indexOf("\r\n\r\n") + 4) };
}

const upgrade = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  `Sec-WebSocket-Key: ${"A".repeat(22)}==`,
];
const sentence = "Oneloop's database does not answer in time. Try again in a moment.";

describe("a database that does not answer while somebody is asked for", () => {
  it("is said to the command line in the words that it understands", async () => {
    const { status, body } = await answerTo([
      "GET /trpc/workspaces.list HTTP/1.1",
      `Host: 127.0.0.1:${api.port}`,
      `Authorization: Bearer ${secret}`,
      "Connection: close",
    ]);
    expect(status).toBe(503);
    const { error } = JSON.parse(body) as { error: { data: { oneloop: unknown } } };
    const failure = WireError.parse(error.data.oneloop);
    expect(failure).toMatchObject({ code: "database-unavailable", message: sentence });
  });

  it.each([
    [
      "a terminal",
      [
        "GET /terminals/w/t HTTP/1.1",
        "Origin: http://HOST",
        `Cookie: __Host-oneloop-session=${secret}`,
      ],
    ],
    ["an SSH connection over HTTP", ["GET /ssh HTTP/1.1", `Authorization: Bearer ${secret}`]],
  ])("is said to who wants %s", async (_what, head) => {
    const named = [...head, "Host: HOST", ...upgrade];
    const { status, body } = await answerTo(named.map((line) => line.replace("HOST", api.host)));
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ code: "database-unavailable", message: sentence });
  });

  it("is said to a browser that wants to sign in at a port", async () => {
    const { status, body } = await answerTo([
      `GET /port-sign-in?to=http://3000-ws.localhost:${api.port}/ HTTP/1.1`,
      `Host: ${api.host}`,
      `Cookie: __Host-oneloop-session=${secret}`,
      "Connection: close",
    ]);
    expect([status, body]).toEqual([503, sentence]);
  });
});
