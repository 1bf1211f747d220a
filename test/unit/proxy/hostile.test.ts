import { once } from "node:events";
import { request, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  closed,
  converse,
  dialDoor,
  startRecorder,
  statuses,
  type Recorder,
} from "../../helpers/raw-http.ts";
import { ambiguities, smuggledPath, smugglingForms } from "../../helpers/smuggling.ts";
import { startProgram, startRig, type Rig } from "./rig.ts";

let rig: Rig;
let program: Recorder;
let host: string;
let cookie: string;

beforeAll(async () => {
  rig = await startRig();
  program = await startRecorder();
  host = rig.host(program.port);
  cookie = await rig.cookie(host);
});
afterAll(async () => {
  await program[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** The form's name alone: hosts and cookies are known only when the rig runs. */
const names = smugglingForms({ host: "h", scheme: "http", cookie: "c", foreignHost: "f" }).map(
  ({ name }) => name,
);

describe("a connection that two readers might understand in two ways", () => {
  test.each(names)("%s", async (name) => {
    const foreignHost = rig.host(program.port, "xx");
    const form = smugglingForms({ host, scheme: "http", cookie, foreignHost }).find(
      (one) => one.name === name,
    );
    const answer = await converse({ port: rig.port }, form?.bytes ?? "");
    const { requests, heads, bytes } = program.take();
    expect(requests.filter((line) => line.includes(smuggledPath))).toEqual([]);
    expect(ambiguities(heads)).toEqual([]);
    const [first] = statuses(answer);
    if (form?.outcome === "first") {
      expect(first).toBe(200);
      expect(requests.length).toBe(1);
    } else {
      expect(first ?? 400).toBeGreaterThanOrEqual(400);
      // A chunk is read only after its request began: the program may see that, and its break.
      expect(answer).not.toContain("/first");
      expect(bytes).not.toContain(smuggledPath);
    }
  });
});

describe("one connection of a reverse proxy", () => {
  test("carries two people's requests in turn, and neither gets what is the other's", async () => {
    rig.setVisibility(program.port, "signed-in");
    const bob = await rig.cookie(host, "bob");
    const own = rig.host(program.port + 1);
    const ask = (path: string, at: string, cookies: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: ${at}\r\n${cookies === "" ? "" : `Cookie: ${cookies}\r\n`}\r\n`;
    const answer = await converse(
      { port: rig.port },
      [
        ask("/ada-1", host, cookie),
        ask("/bob-1", host, bob),
        ask("/nobody", host, ""),
        ask("/ada-2", host, cookie),
        // Bob may not see another port of hers, whoever asked before him on this connection.
        ask("/bob-2", own, await rig.cookie(own, "bob")),
        ask("/bob-3", host, bob),
        `GET /end HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      ].join(""),
    );
    rig.setVisibility(program.port, "private");
    expect(statuses(answer)).toEqual([200, 200, 401, 200, 404, 200, 401]);
    expect(program.take().requests.sort()).toEqual([
      ...["GET /ada-1", "GET /ada-2", "GET /bob-1", "GET /bob-3"],
    ]);
  });

  test("and a program never gets two people's requests on one connection", async () => {
    const by = new Map<Socket, Set<string>>();
    await using shared = await startProgram(
      (incoming: IncomingMessage, response: ServerResponse) => {
        const people = by.get(incoming.socket) ?? new Set();
        by.set(incoming.socket, people.add(String(incoming.headers["x-who"])));
        response.end("ok");
      },
    );
    const to = rig.host(shared.port);
    rig.setVisibility(shared.port, "signed-in");
    const people = { ada: await rig.cookie(to), bob: await rig.cookie(to, "bob") };
    const all: Promise<unknown>[] = [];
    for (let round = 0; round < 20; round += 1) {
      for (const [who, theirs] of Object.entries(people)) {
        all.push(rig.get(to, "/", { cookie: theirs, "x-who": who }));
      }
      // The last of each round waits, so that connections are used again.
      await all.at(-1);
    }
    await Promise.all(all);
    expect(by.size).toBeLessThan(40);
    for (const who of by.values()) expect(who.size).toBe(1);
    for (const socket of by.keys()) socket.destroy();
  });
});

describe("too much", () => {
  test("of headers is refused, and nothing of it reaches the program", async () => {
    const line = `X-A: ${"a".repeat(1000)}\r\n`;
    const answer = await converse(
      { port: rig.port },
      `GET /big HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n${line.repeat(1000)}\r\n`,
    );
    expect(statuses(answer)).toEqual([431]);
    expect(program.take().requests).toEqual([]);
  });

  test("of a body for somebody who is refused is not read", async () => {
    const socket = await dialDoor({ port: rig.port });
    socket.write(
      `POST / HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nContent-Length: 10000000000\r\n\r\n`,
    );
    let sent = 0;
    const block = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (!socket.destroyed && socket.write(block)) sent += block.length;
    };
    socket.on("drain", more);
    more();
    socket.resume();
    await closed(socket);
    // What lies in the kernel's buffers; all of it would be 10 GB.
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    expect(program.take().bytes).toBe("");
  });

  test("of an answer's head ends the answer, and the next one is sound", async () => {
    await using shouting = await startProgram((incoming, response) => {
      if (incoming.url === "/sound") response.end("sound");
      else response.socket?.write(`HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(1024 * 1024)}`);
    });
    const to = rig.host(shouting.port);
    const signed = { cookie: await rig.cookie(to) };
    expect((await rig.get(to, "/", signed)).status).toBe(502);
    expect(await rig.get(to, "/sound", signed)).toMatchObject({ status: 200, body: "sound" });
  });

  test("of waiting requests is refused, and whoever asks for something else is answered", async () => {
    let arrived = 0;
    let all = (): void => undefined;
    const full = new Promise<void>((resolve) => (all = resolve));
    await using silent = await startProgram(() => {
      arrived += 1;
      if (arrived === 128) all();
    });
    const to = rig.host(silent.port);
    const signed = { host: to, cookie: await rig.cookie(to) };
    const open = Array.from({ length: 1024 }, () => {
      const asked = request({ host: "127.0.0.1", port: rig.port, headers: signed, agent: false });
      asked.on("error", () => undefined);
      return asked.end();
    });
    await full;
    const refused: number[] = [];
    // The last of the 1,024 may be on their way: the first 503 says that all places are taken.
    while (!refused.includes(503)) {
      const asked = request({ host: "127.0.0.1", port: rig.port, headers: signed, agent: false });
      asked.on("error", () => undefined);
      open.push(asked.end());
      const status = await Promise.race([
        once(asked, "response").then(([response]) => (response as IncomingMessage).statusCode ?? 0),
        rig.get(rig.host(1), "/").then(({ status }) => status),
      ]);
      refused.push(status);
    }
    for (const asked of open) asked.destroy();
  });
});
