import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { serviceLabel } from "../../../server/ports/hostname.ts";
import {
  longService,
  sessionOf,
  startEcho,
  startProgram,
  startRig,
  type Program,
  type Rig,
} from "./rig.ts";

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

const page = { accept: "text/html,*/*", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" };

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
