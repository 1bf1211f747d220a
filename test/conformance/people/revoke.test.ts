import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import ssh2 from "ssh2";
import { WebSocket, WebSocketServer } from "ws";
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
import { insertWorkspace, untilRunning } from "../../helpers/workspace-row.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

/** From the answer to the revocation to the end of what hung on it. */
const mostMs = 1000;
const workspace = "shop-main-xkd";

const lifetime = new Lifetime();
/** What is revoked is revoked at this control plane; it is connected to the other. */
let here: TestControlPlane;
let there: TestControlPlane;
let database: Database;
let owner: Credentials;
let program: Server;
let folder: string;

beforeAll(async () => {
  const installation = lifetime.own(await startTestInstallation());
  const log = createLog({ level: "silent" });
  database = lifetime.own(await Database.connect(installation.databaseUrl, log));
  await new AccountStore(database).ensureOwner({ id: "owners-id", name: "olive" });
  const { workspaceId } = installation;
  await insertWorkspace(database, { id: workspaceId, name: workspace, ownerId: "owners-id" });
  const codes = { ONELOOP_SSH_CODES: "on" };
  here = lifetime.own(await TestControlPlane.start(installation, "planehre", codes));
  await untilRunning(database, workspaceId);
  there = lifetime.own(await TestControlPlane.start(installation, "planethe", codes));
  owner = await here.signIn(here.signInLink, "token", "the test");
  ({ path: folder } = lifetime.own(await enterableFolder()));
  program = createServer(({ url }, response) => {
    if (url === "/done") response.end("done");
    else response.write("begun");
  });
  const sockets = new WebSocketServer({ server: program });
  sockets.on("connection", (socket) => socket.send("hello"));
  program.listen(0, "127.0.0.1");
  await once(program, "listening");
  lifetime.defer(() => {
    for (const client of sockets.clients) client.terminate();
    program.closeAllConnections();
    program.close();
  });
});

afterAll(() => lifetime[Symbol.asyncDispose]());

interface Session {
  readonly id: string;
  readonly credentials: Credentials;
}

/** Another sign-in of the owner. */
async function signIn(kind: "session" | "token"): Promise<Session> {
  const { link } = await here.ok<{ link: string }>("people.invite", { id: "olive" }, owner);
  const credentials = await here.signIn(link, kind);
  const sessions = await here.ok<{ id: string; current: boolean }[]>(
    "sessions.list",
    {},
    credentials,
  );
  return { id: sessions.find(({ current }) => current)?.id ?? "", credentials };
}

function ended(what: WebSocket | IncomingMessage | ssh2.Client): Promise<void> {
  what.on("error", () => undefined);
  return new Promise((resolve) => what.on("close", () => resolve()));
}

/** Resolves with how long after `cut` all of them had ended. */
async function tookMs(ends: readonly Promise<unknown>[], cut: () => Promise<unknown>) {
  let last = 0;
  let clock = stopwatch();
  const all = Promise.all(
    ends.map((end) =>
      end.then(() => {
        last = clock();
      }),
    ),
  );
  clock = stopwatch();
  await cut();
  await all;
  return last;
}

const portHost = (plane: TestControlPlane): string =>
  `${(program.address() as AddressInfo).port}-${workspace}.localhost:${plane.port}`;

async function portCookie(plane: TestControlPlane, who: Credentials): Promise<string> {
  const to = encodeURIComponent(`http://${portHost(plane)}/`);
  const sent = await plane.get(`/port-sign-in?to=${to}`, plane.headers(who));
  const next = new URL(sent.headers.location ?? "");
  const signed = await plane.get(next.pathname + next.search, { host: portHost(plane) });
  return signed.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

/** A terminal of the workspace, as the page has it. */
async function openTerminal(plane: TestControlPlane, who: Credentials): Promise<WebSocket> {
  const { id } = await plane.ok<{ id: string }>("terminals.create", { workspace }, owner);
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/terminals/${workspace}/${id}`, {
    headers: plane.headers(who),
  });
  await once(socket, "open");
  return socket;
}

async function openPortSocket(plane: TestControlPlane, cookie: string): Promise<WebSocket> {
  const host = portHost(plane);
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/`, {
    headers: { host, origin: `http://${host}`, cookie },
  });
  await once(socket, "message");
  return socket;
}

/** A request whose answer has begun and does not end. */
async function openRequest(plane: TestControlPlane, path: string, headers: Record<string, string>) {
  const asked = request({ host: "127.0.0.1", port: plane.port, path, headers, agent: false });
  const [answer] = (await once(asked.end(), "response")) as [IncomingMessage];
  await once(answer, "data");
  return answer;
}

/** A subscription, with all that it says. */
async function subscribe(plane: TestControlPlane, name: string, who: Credentials) {
  const input = encodeURIComponent(JSON.stringify({ workspace }));
  const headers = { accept: "text/event-stream", ...plane.headers(who) };
  const answer = await openRequest(plane, `/trpc/${name}?input=${input}`, headers);
  let said = "";
  answer.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return { answer, said: () => said };
}

async function openSsh(plane: TestControlPlane, key: string): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const ready = once(client, "ready");
  client.connect({
    ...{ host: "127.0.0.1", port: plane.sshPort, username: workspace },
    privateKey: await readFile(join(folder, key)),
  });
  await ready;
  return client;
}

/** By a one-time code of this sign-in. */
async function openSshByCode(plane: TestControlPlane, who: Credentials): Promise<ssh2.Client> {
  const { code } = await here.ok<{ code: string }>("keys.code", {}, who);
  const client = new ssh2.Client();
  const ready = once(client, "ready");
  client.on("keyboard-interactive", (_name, _instructions, _language, _prompts, answer) => {
    answer([code]);
  });
  client.connect({
    ...{ host: "127.0.0.1", port: plane.sshPort, username: workspace },
    tryKeyboard: true,
  });
  await ready;
  return client;
}

async function addKey(name: string, who: Credentials): Promise<string> {
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
  const publicKey = await readFile(join(folder, `${name}.pub`), "utf8");
  return (await here.ok<{ id: string }>("keys.add", { publicKey }, who)).id;
}

describe("a session that is revoked", () => {
  it("ends all that hangs on it within a second, on every control plane, and nothing else", async () => {
    const { id, credentials } = await signIn("session");
    const cookie = await portCookie(there, credentials);
    const live = [
      await openTerminal(there, credentials),
      await openTerminal(here, credentials),
      await openPortSocket(there, cookie),
      await openRequest(there, "/", { host: portHost(there), cookie }),
      await openSshByCode(there, credentials),
      await openSshByCode(here, credentials),
    ];
    const watch = await subscribe(there, "workspaces.watch", credentials);
    const list = await subscribe(there, "workspaces.watchList", credentials);
    const others = await signIn("session");
    const kept = await openTerminal(there, others.credentials);
    const keptSsh = await openSshByCode(there, others.credentials);
    let othersEnded = false;
    keptSsh.on("close", () => (othersEnded = true));
    const answers = [...live, watch.answer, list.answer];
    const ms = await tookMs(answers.map(ended), () => here.ok("sessions.revoke", { id }, owner));
    expect(ms).toBeLessThan(mostMs);
    // A page learns why: it can send its user to sign in.
    for (const { said } of [watch, list])
      expect(said()).toMatch(/serialized-error[^]*not-signed-in/);
    expect(kept.readyState).toBe(WebSocket.OPEN);
    expect(othersEnded).toBe(false);
    kept.terminate();
    keptSsh.end();

    const { failure } = await there.call("auth.me", {}, credentials);
    expect(failure?.code).toBe("not-signed-in");
    const port = await there.get("/", { host: portHost(there), cookie });
    expect(port.status).toBe(401);
  });

  it("signing out is the same", async () => {
    const { credentials } = await signIn("session");
    const socket = await openTerminal(there, credentials);
    const { answer } = await subscribe(there, "workspaces.watchList", credentials);
    const ms = await tookMs([ended(socket), ended(answer)], async () => {
      const { failure, headers } = await here.call("auth.signOut", {}, credentials);
      expect(failure).toBeNull();
      expect(headers["set-cookie"]?.[0]).toMatch(/^__Host-oneloop-session=;.*Max-Age=0/);
    });
    expect(ms).toBeLessThan(mostMs);
  });

  it("a token is the same", async () => {
    const { id, credentials } = await signIn("token");
    const { answer, said } = await subscribe(there, "workspaces.watch", credentials);
    const ms = await tookMs([ended(answer)], () => here.ok("sessions.revoke", { id }, owner));
    expect(ms).toBeLessThan(mostMs);
    expect(said()).toContain("not-signed-in");
  });
});

describe("an SSH key that is removed", () => {
  it("ends its connections within a second, and no other key's", async () => {
    const id = await addKey("removed", owner);
    await addKey("kept", owner);
    const client = await openSsh(there, "removed");
    const other = await openSsh(there, "kept");
    const ms = await tookMs([ended(client)], () => here.ok("keys.remove", { id }, owner));
    expect(ms).toBeLessThan(mostMs);
    const alive = new Promise<number>((resolve, reject) =>
      other.exec("exit 3", (error, channel) => {
        if (error !== undefined) reject(error);
        else channel.on("exit", (code: number) => resolve(code)).resume();
      }),
    );
    expect(await alive).toBe(3);
    other.end();
  });
});

describe("a person who is removed", () => {
  it("loses every connection within a second, whatever they came with", async () => {
    const { link } = await here.ok<{ link: string }>("people.add", { name: "bob" }, owner);
    const again = await here.ok<{ link: string }>("people.invite", { id: "bob" }, owner);
    const token = await here.signIn(link, "token");
    const session = await here.signIn(again.link, "session");
    await addKey("bobs", token);
    await setVisibility("signed-in");
    const cookie = await portCookie(there, session);
    const reached = () => there.get("/done", { host: portHost(there), cookie });
    expect(await soon(async () => (await reached()).status, 200)).toBe(200);
    const live = [
      (await subscribe(there, "workspaces.watchList", token)).answer,
      (await subscribe(here, "workspaces.watchList", session)).answer,
      await openPortSocket(there, cookie),
      await openSsh(there, "bobs"),
      await openSshByCode(there, session),
    ];
    const ms = await tookMs(live.map(ended), () => here.ok("people.remove", { id: "bob" }, owner));
    expect(ms).toBeLessThan(mostMs);
    expect((await there.call("auth.me", {}, token)).failure?.code).toBe("not-signed-in");
    await setVisibility("private");
  });

  it("cannot be one who has workspaces, and is never the owner", async () => {
    await here.ok("people.add", { name: "carol" }, owner);
    const people = await here.ok<{ id: string; name: string }[]>("people.list", {}, owner);
    const { id = "" } = people.find(({ name }) => name === "carol") ?? {};
    const made = { id: "carols-workspace", name: "carols-app-xkd", ownerId: id };
    await insertWorkspace(database, made);
    for (const one of ["carol", "olive"]) {
      const { failure } = await here.call("people.remove", { id: one }, owner);
      expect(failure?.code).toBe("conflict");
    }
    expect((await here.ok<unknown[]>("people.list", {}, owner)).length).toBe(people.length);
  });
});

describe("the visibility of a port", () => {
  it("holds on every control plane at once: what is no longer allowed is cut off", async () => {
    const { link } = await here.ok<{ link: string }>("people.add", { name: "dave" }, owner);
    const dave = await here.signIn(link, "session");
    const host = portHost(there);
    const status = async (headers: Record<string, string>) => {
      const asked = request({ host: "127.0.0.1", port: there.port, headers: { host, ...headers } });
      const [answer] = (await once(asked.end(), "response")) as [IncomingMessage];
      asked.destroy();
      return answer.statusCode;
    };
    await setVisibility("signed-in");
    const cookie = await portCookie(there, dave);
    await setVisibility("private");
    expect(await soon(() => status({ cookie }), 404)).toBe(404);
    await setVisibility("signed-in");
    expect(await soon(() => status({ cookie }), 200)).toBe(200);
    expect(await status({})).toBe(401);
    await setVisibility("public");
    expect(await soon(() => status({}), 200)).toBe(200);
    const daves = await openPortSocket(there, cookie);
    const nobodys = await openPortSocket(there, "a=b");
    expect(await tookMs([ended(nobodys)], () => setVisibility("signed-in"))).toBeLessThan(mostMs);
    expect(daves.readyState).toBe(WebSocket.OPEN);
    expect(await tookMs([ended(daves)], () => setVisibility("private"))).toBeLessThan(mostMs);
    expect(await soon(() => status({ cookie }), 404)).toBe(404);
  });
});

async function setVisibility(visibility: "private" | "signed-in" | "public"): Promise<void> {
  const { port } = program.address() as AddressInfo;
  await here.ok("workspaces.setPortVisibility", { workspace, port, visibility }, owner);
}

/** Asks until the answer is the wanted one; gives the last one after `mostMs`. */
async function soon<Value>(ask: () => Promise<Value>, wanted: Value): Promise<Value> {
  const waitedMs = stopwatch();
  for (;;) {
    const got = await ask();
    if (got === wanted || waitedMs() > mostMs) return got;
  }
}
