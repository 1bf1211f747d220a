import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { peerUids } from "../../../cli/src/listener.ts";
import { Output } from "../../../cli/src/output.ts";
import { Session } from "../../../cli/src/session.ts";

const nobody = 65_534;
const somebody = 65_533;
const own = process.getuid?.() ?? -1;
const asRoot = own === 0;

/**
 * Another user's program on a port of 127.0.0.1: it says its port, and each head and body that it is
 * told. `how`: it answers that nobody is signed in (and then stops listening), plays the control
 * plane, or never accepts what connects.
 */
const program = `
  const http = require("node:http");
  const say = (line) => require("node:fs").writeSync(1, line + "\\n");
  const how = process.argv[1];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      say("told " + request.url + " " + (request.headers.authorization ?? "") + " " + body);
      response.setHeader("content-type", "application/json");
      if (how === "plays") {
        const user = { id: "1", name: "Ada", role: "owner" };
        return response.end(JSON.stringify({ result: { data: { token: "oneloop_t", user } } }));
      }
      if (how === "closes") server.close();
      response.statusCode = 401;
      const oneloop = { code: "not-signed-in", message: "no", diagnostics: [] };
      const data = { code: "UNAUTHORIZED", httpStatus: 401, oneloop };
      response.end(JSON.stringify({ error: { message: "no", code: -32001, data } }));
    });
  });
  server.keepAliveTimeout = 60000;
  server.on("connection", (socket) => socket.on("close", () => say("closed")));
  server.listen(Number(process.argv[2]), "127.0.0.1", () => {
    say("port " + server.address().port);
    if (how === "hangs") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

interface Stranger extends AsyncDisposable {
  readonly port: number;
  /** What it was told so far. */
  told(): string;
  /** Resolves when a connection to it is closed. */
  closed(): Promise<void>;
}

async function stranger(how: string, { uid = nobody, port = 0 } = {}): Promise<Stranger> {
  const child = spawn(process.execPath, ["-e", program, how, String(port)], {
    uid,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const until = async (text: string): Promise<void> => {
    while (!said.includes(text)) await once(child.stdout, "data");
  };
  await until("port ");
  await until("\n");
  return {
    port: Number(/port (\d+)/.exec(said)?.[1]),
    told: () => said.replace(/port \d+\n/, ""),
    closed: () => until("closed"),
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    },
  };
}

async function dial(port: number, host = "127.0.0.1"): Promise<Socket & AsyncDisposable> {
  const socket = connect(port, host);
  await once(socket, "connect");
  return Object.assign(socket, {
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
    },
  });
}

describe("whose program is at the other end of a connection", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::", "127.0.0.1"],
    ["::", "::1"],
    ["0.0.0.0", "127.0.0.9"],
  ])("is known for one at %s that is dialled at %s", async (host, dialled) => {
    const server = createServer();
    server.listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await using socket = await dial(port, dialled);
    expect(await peerUids(socket)).toEqual([own]);
    socket.destroy();
    server.close();
  });

  it.runIf(asRoot)("is known before it has accepted", async () => {
    await using thief = await stranger("hangs");
    await using socket = await dial(thief.port);
    expect(await peerUids(socket)).toEqual([nobody]);
  });

  it.runIf(asRoot)("stays known when it listens no longer", async () => {
    await using thief = await stranger("closes");
    await using socket = await dial(thief.port);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    expect(await peerUids(socket)).toEqual([nobody]);
  });
});

describe.runIf(asRoot)("on a machine with other users", () => {
  let folder: string;
  const before = { ...process.env };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "oneloop-cli-"));
    process.env["ONELOOP_DATA_DIR"] = folder;
    process.env["ONELOOP_CONFIG_DIR"] = folder;
  });
  afterEach(async () => {
    process.env = { ...before };
    await rm(folder, { recursive: true });
  });

  const notes: string[] = [];
  const quiet = { write: (text: string) => notes.push(text) };
  const open = (port: number): Promise<Session> =>
    Session.open(new Output(quiet, quiet), `http://127.0.0.1:${port}`);
  const login = (port: number, more: { uid?: number } = {}): Promise<void> =>
    writeFile(
      join(folder, "config.json"),
      JSON.stringify({
        logins: { [`http://127.0.0.1:${port}`]: { token: "oneloop_secret", user: "Ada", ...more } },
      }),
    );
  const putCode = (): Promise<void> =>
    writeFile(join(folder, "sign-in-code"), "the-local-code\n", { mode: 0o600 });
  const ask = async (port: number): Promise<unknown> =>
    (await open(port)).run((api) => api.config.query());

  it.each(["refuses", "closes"])("a token is not given to another's program (%s)", async (how) => {
    await using thief = await stranger(how);
    await login(thief.port);
    await expect(ask(thief.port)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining(`user ${nobody}`) as string,
    });
    await thief.closed();
    expect(thief.told()).toBe("closed\n");
  });

  it.each(["refuses", "closes"])(
    "the local sign-in code is not given to another's program (%s)",
    async (how) => {
      await using thief = await stranger(how);
      await putCode();
      // Who listens no longer is not even reached again.
      const code = how === "closes" ? "control-plane-unreachable" : "forbidden";
      await expect(ask(thief.port)).rejects.toMatchObject({ code });
      const session = await open(thief.port);
      await expect(session.localCode().then((code) => session.signIn(code))).rejects.toMatchObject({
        code,
      });
      expect(thief.told()).not.toContain("the-local-code");
    },
  );

  it("a subscription's token is not given to another's program either", async () => {
    await using thief = await stranger("refuses");
    await login(thief.port);
    const session = await open(thief.port);
    await session.run(async (api) => {
      const subscription = api.workspaces.watchList.subscribe(undefined, {});
      await thief.closed();
      subscription.unsubscribe();
    });
    expect(thief.told()).not.toContain("secret");
  });

  it("the control plane of the user to whom the data folder's code belongs gets the token", async () => {
    await using plane = await stranger("plays", { uid: somebody });
    await login(plane.port);
    await expect(ask(plane.port)).rejects.toMatchObject({ code: "forbidden" });
    await putCode();
    const { chown } = await import("node:fs/promises");
    await chown(join(folder, "sign-in-code"), somebody, somebody);
    await ask(plane.port);
    expect(plane.told()).toContain("Bearer oneloop_secret");
  });

  it("who was there at the sign-in stays the only one who gets the token", async () => {
    let port: number;
    {
      await using plane = await stranger("plays", { uid: somebody });
      ({ port } = plane);
      expect(await (await open(port)).signIn("a-code-from-a-link")).toBe("Ada");
      expect(plane.told()).toContain("a-code-from-a-link");
      expect(notes.join("")).toContain(`user ${somebody}`);
      await ask(port);
      expect(plane.told()).toContain("Bearer oneloop_t");
      const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as object;
      expect(config).toMatchObject({ logins: { [`http://127.0.0.1:${port}`]: { uid: somebody } } });
    }
    await using thief = await stranger("plays", { uid: nobody, port });
    await expect(ask(port)).rejects.toMatchObject({ code: "forbidden" });
    await thief.closed();
    expect(thief.told()).toBe("closed\n");
  });
});
