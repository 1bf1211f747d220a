import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import ssh2 from "ssh2";
import { AccountStore } from "../../../server/db/accounts.ts";
import { Database } from "../../../server/db/database.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import {
  startTestInstallation,
  TestControlPlane,
  type Credentials,
} from "../../helpers/control-plane.ts";
import { run } from "../../helpers/installation.ts";
import { enterableFolder } from "../../helpers/postgres.ts";
import { closed, converse, dialDoor, statuses } from "../../helpers/raw-http.ts";
import { insertWorkspace, untilRunning } from "../../helpers/workspace-row.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

const workspace = "shop-main-xkd";
/** 20 s for a head, and connections are looked at every 5 s; 20 s for an SSH sign-in. */
const slowMs = 30_000;
const megabyte = 1024 * 1024;
/** Ends lines, colours text, moves the cursor, opens a tag, reverses what follows. */
const nasty = "a\r\nb\u001B[31mc\u009B2Jd<script>alert(1)</script>\u202Ee";

const lifetime = new Lifetime();
let plane: TestControlPlane;
let session: Credentials;
let privateKey: string;

beforeAll(async () => {
  const installation = lifetime.own(await startTestInstallation());
  const log = createLog({ level: "silent" });
  const database = lifetime.own(await Database.connect(installation.databaseUrl, log));
  await new AccountStore(database).ensureOwner({ id: "owners-id", name: "olive" });
  const { workspaceId } = installation;
  await insertWorkspace(database, { id: workspaceId, name: workspace, ownerId: "owners-id" });
  plane = lifetime.own(await TestControlPlane.start(installation, "planedoo"));
  await untilRunning(database, workspaceId);
  session = await plane.signIn(plane.signInLink, "session");
  const { path } = lifetime.own(await enterableFolder());
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(path, "key")]);
  privateKey = await readFile(join(path, "key"), "utf8");
  await plane.ok(
    "keys.add",
    { name: "test", publicKey: await readFile(join(path, "key.pub"), "utf8") },
    session,
  );
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const door = (): { port: number } => ({ port: plane.port });
const portHost = (): string => `3000-${workspace}.localhost:${plane.port}`;
const upgradeHead = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

async function dialSsh(): Promise<Socket> {
  const socket = connect(plane.sshPort, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Writes one byte each second for as long as the other side reads; resolves when it has closed. */
async function trickle(socket: Socket, bytes: string): Promise<void> {
  socket.resume();
  let at = 0;
  const timer = setInterval(() => {
    socket.write(bytes.charAt(at % bytes.length), "latin1");
    at += 1;
  }, 1000);
  await closed(socket);
  clearInterval(timer);
}

/** Pours until the other side closes. @returns bytes that it took, or that lie in the kernel. */
async function pour(socket: Socket, atMostBytes: number): Promise<number> {
  const block = Buffer.alloc(64 * 1024, "a");
  let sent = 0;
  const more = (): void => {
    while (!socket.destroyed && sent < atMostBytes) {
      sent += block.length;
      if (!socket.write(block)) return;
    }
    if (sent >= atMostBytes) socket.destroy();
  };
  socket.on("drain", more);
  socket.resume();
  more();
  await closed(socket);
  return sent;
}

describe("a client that is slow on purpose", () => {
  it("is cut off at every door, and everybody else is served meanwhile", async () => {
    const tookMs = stopwatch();
    const [silent, app, port, upgrade] = await Promise.all(
      [1, 2, 3, 4].map(() => dialDoor(door())),
    );
    const [sshSilent, ssh] = await Promise.all([dialSsh(), dialSsh()]);
    app?.write(`GET / HTTP/1.1\r\nHost: ${plane.appHost}\r\nX-A: `);
    port?.write(`GET / HTTP/1.1\r\nHost: ${portHost()}\r\nX-A: `);
    upgrade?.write(`GET /terminals/a/b HTTP/1.1\r\nHost: ${plane.appHost}\r\n${upgradeHead}X-A: `);
    const all = [silent, app, port, upgrade, sshSilent, ssh].map((socket, at) => {
      if (socket === undefined) throw new Error("not connected");
      socket.resume();
      return at === 0 || at === 4 ? closed(socket) : trickle(socket, at === 5 ? "SSH-2.0-a" : "b");
    });
    const { status } = await plane.get("/", { host: plane.appHost });
    expect(status).toBeLessThan(500);
    await Promise.all(all);
    expect(tookMs()).toBeLessThan(slowMs);
  });
});

describe("too much", () => {
  it("of a body, of a length that is said or not, is refused before it is read", async () => {
    const head = `POST /trpc/auth.exchange HTTP/1.1\r\nHost: ${plane.appHost}\r\nOrigin: http://${plane.appHost}\r\nContent-Type: application/json\r\n`;
    const before = process.memoryUsage().rss;
    for (const how of ["Content-Length: 2000000000", "Transfer-Encoding: chunked"]) {
      const socket = await dialDoor(door());
      socket.write(`${head}${how}\r\n\r\n77359400\r\n`);
      expect(await pour(socket, 200 * megabyte)).toBeLessThan(50 * megabyte);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * megabyte);
  });

  it("of a head is refused, of upgrades too", async () => {
    const long = `X-A: ${"a".repeat(1000)}\r\n`.repeat(40);
    for (const host of [plane.appHost, portHost()]) {
      for (const more of ["", upgradeHead]) {
        const head = `GET / HTTP/1.1\r\nHost: ${host}\r\n${more}${long}\r\n`;
        expect(statuses(await converse(door(), head))).toEqual([431]);
      }
    }
  });

  it("of an SSH identification, or of what is no packet, ends the connection", async () => {
    expect(await pour(await dialSsh(), 100 * megabyte)).toBeLessThan(10 * megabyte);
    const socket = await dialSsh();
    socket.write("SSH-2.0-test\r\n\xff\xff\xff\xff", "latin1");
    expect(await pour(socket, 100 * megabyte)).toBeLessThan(10 * megabyte);
  });
});

describe("an upgrade that is none", () => {
  const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
  const own = () => `Host: ${plane.appHost}\r\nOrigin: http://${plane.appHost}\r\n`;
  const signed = () => `${own()}Cookie: ${session.cookie}\r\n`;

  it.each([
    ["without a page", () => `Host: ${plane.appHost}\r\nCookie: ${session.cookie}\r\n${key}`, 403],
    ["without a sign-in", () => own() + key, 401],
    ["without a key", () => signed(), 400],
    ["of another protocol", () => `${signed()}${key}Upgrade: h2c\r\n`, 400],
  ])("%s is answered once, and closed", async (_how, headers, status) => {
    const path = `/terminals/${workspace}/one`;
    const answer = await converse(
      door(),
      `GET ${path} HTTP/1.1\r\n${headers()}${upgradeHead}\r\nGET / HTTP/1.1\r\n\r\n`,
    );
    expect(statuses(answer)).toEqual([status]);
  });

  it.each(["/terminals/%zz/a", "/terminals/%00/a", "//", "/terminals/a/b/c", "/terminals/../../a"])(
    "at %s is answered once, in words, and no failure of ours",
    async (path) => {
      const answer = await converse(
        door(),
        `GET ${path} HTTP/1.1\r\n${signed()}${key}${upgradeHead}\r\n`,
      );
      const [status = 0] = statuses(answer);
      expect(statuses(answer).length).toBe(1);
      expect([400, 404]).toContain(status);
      expect(plane.log()).not.toContain("upgrade failed");
    },
  );
});

describe("what a stranger writes", () => {
  const shows = (): string[] => plane.log().split("\n").filter(Boolean);

  it("keeps the log one JSON object a line, without a control character", async () => {
    const raw = nasty.replaceAll(/[\r\n]/g, "").replaceAll("\u202E", "");
    const paths = ["/%0d%0a%1b[31m", `/trpc/${encodeURIComponent(nasty)}`, "/trpc/workspaces.show"];
    for (const host of [plane.appHost, portHost()]) {
      for (const path of paths) {
        await converse(
          door(),
          `GET ${path}?input=${encodeURIComponent(nasty)} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${session.cookie}\r\nSec-Fetch-Site: same-origin\r\nUser-Agent: ${raw}\r\nConnection: close\r\n\r\n`,
        );
      }
    }
    for (const text of [nasty, "a\0b", "x".repeat(3000)]) {
      const refused = [
        await plane.call("workspaces.show", { workspace: text }, session),
        await plane.call("workspaces.stop", { workspace: text }, session),
        await plane.call("workspaces.open", { contextUrl: `https://h/${text}` }, session),
        await plane.call("people.invite", { id: text }, session),
        await plane.call("keys.remove", { id: text }, session),
        await plane.call("auth.exchange", { code: text, kind: "token", name: text }, session),
      ];
      for (const { failure } of refused) expect(failure?.code).not.toBe("internal");
    }
    await sshAs(nasty);
    const lines = shows();
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) {
      expect(typeof JSON.parse(line)).toBe("object");
      // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
      expect(line).not.toMatch(/[\u0000-\u001F\u007F]/);
      expect(line.length).toBeLessThan(20_000);
    }
  });

  it("an SSH user name is shown without what a terminal would obey", async () => {
    const said = await sshAs(nasty);
    expect(said).toContain("no workspace");
    expect(said.replaceAll("\r\n", "\n")).not.toMatch(/[^\n\P{C}]/u);
  });

  /** What the gateway says to a person of this login name. */
  function sshAs(username: string): Promise<string> {
    const client = new ssh2.Client();
    return new Promise((resolve, reject) => {
      client.on("error", reject);
      client.on("ready", () => {
        client.exec("true", (error, channel) => {
          if (error !== undefined) return reject(error);
          let said = "";
          channel.stderr.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
          channel.resume().on("close", () => {
            client.end();
            resolve(said);
          });
        });
      });
      client.connect({ host: "127.0.0.1", port: plane.sshPort, username, privateKey });
    });
  }
});
