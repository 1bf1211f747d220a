import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { GrantSigner } from "../../../server/auth/grants.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { startFarEnd, type FarEnd } from "../../helpers/far-end.ts";
import { secret, startApi, untilClosed, type ApiRig } from "./rig.ts";

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const accept = (key: string): string =>
  createHash("sha1")
    .update(key + guid)
    .digest("base64");

/** What the hostile supervisor answers to a WebSocket's key. */
let answer: (key: string) => string = () => "";
const sockets = new Set<Socket>();
const far = createServer((socket) => {
  sockets.add(socket);
  socket.on("error", () => undefined);
  socket.once("data", (head: Buffer) => {
    socket.write(answer(/Sec-WebSocket-Key: (\S+)/.exec(head.toString())?.[1] ?? ""));
  });
});
let api: ApiRig;

beforeAll(async () => {
  far.listen(0, "127.0.0.1");
  await once(far, "listening");
  const owner: Owner = { kind: "workspace", id: "w" };
  const engine: Pick<Engine, "supervisorAddress"> = { supervisorAddress: async () => null };
  const signer: Pick<GrantSigner, "sign"> = { sign: () => "Oneloop x.y" };
  const supervisors = new Supervisors(engine as Engine, signer as GrantSigner);
  const port = (far.address() as AddressInfo).port;
  supervisors.remember(owner, { host: "127.0.0.1", port }, "b");
  api = await startApi({ supervisors, owner });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  for (const socket of sockets) socket.destroy();
  far.close();
});

async function upgrade(key: string, more = ""): Promise<Socket> {
  const socket = await api.dial();
  socket.write(
    `GET /terminals/w/t HTTP/1.1\r\nHost: ${api.host}\r\nOrigin: http://${api.host}\r\n` +
      `Cookie: __Host-oneloop-session=${secret}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`,
  );
  return socket;
}

const newKey = (): string => randomBytes(16).toString("base64");

it("gives the browser a head of our own: nothing that the supervisor says beside the handshake", async () => {
  answer = (key) =>
    "HTTP/1.1 101 Whatever\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept(key)}\r\n` +
    "Set-Cookie: __Host-oneloop-session=oneloop_attacker; Path=/; Secure; HttpOnly\r\n" +
    "Strict-Transport-Security: max-age=999\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" +
    "Sec-WebSocket-Protocol: x\r\n\r\nfirst bytes";
  const key = newKey();
  const socket = await upgrade(key);
  let text = "";
  socket.on("data", (data: Buffer) => (text += data.toString("latin1")));
  while (!text.endsWith("first bytes")) await once(socket, "data");
  expect(text).toBe(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept(key)}\r\n\r\nfirst bytes`,
  );
  socket.destroy();
});

it.each([
  ["another key's answer", accept("x")],
  ["no answer", ""],
])("%s in the handshake is none", async (_what, said) => {
  answer = () =>
    "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${said}\r\n\r\n`;
  const socket = await upgrade(newKey());
  expect(await untilClosed(socket)).toContain("HTTP/1.1 502 ");
});

it.each(["x", "", "AAAAAAAAAAAAAAAAAAAAAA=", `${"A".repeat(22)}==\tx`])(
  "a key that is none (%j) is refused",
  async (key) => {
    answer = () => "";
    const socket = await upgrade(key);
    expect(await untilClosed(socket)).toContain("HTTP/1.1 400 ");
  },
);

it("a refused upgrade leaves no connection, though its client keeps its side open", async () => {
  await using door = await startApi();
  const connected = once(door.server, "connection");
  const stranger = await door.dial();
  stranger.write(
    "GET /terminals/a/b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  stranger.resume();
  const [accepted] = (await connected) as [Socket];
  await Promise.all([once(stranger, "end"), once(accepted, "close")]);
  expect(await door.connections()).toBe(0);
  stranger.destroy();
});

it("a terminal of a real supervisor is joined by a real WebSocket", async () => {
  await using real: FarEnd = await startFarEnd();
  await using door = await startApi({ supervisors: real.supervisors, owner: real.owner });
  const made = (await real.supervisors.json(
    { owner: real.owner, actor: "ada" },
    { action: "terminal", method: "POST", path: "/terminals", body: { command: ["cat"] } },
  )) as { id: string };
  const socket = new WebSocket(`ws://127.0.0.1:${door.port}/terminals/w/${made.id}`, {
    headers: {
      host: door.host,
      origin: `http://${door.host}`,
      cookie: `__Host-oneloop-session=${secret}`,
    },
  });
  const [hello] = (await once(socket, "message")) as [Buffer];
  expect(JSON.parse(hello.toString())).toMatchObject({ type: "hello" });
  socket.terminate();
});
