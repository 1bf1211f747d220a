import { once } from "node:events";
import {
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { pino } from "pino";
import { createPortProxy, type PortProxy } from "../../../server/proxy/port-proxy.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { Supervisors } from "../../../server/terminals/supervisors.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { startFarEnd } from "../../helpers/far-end.ts";

/** A program in the workspace, a real server on a port of its own. */
export interface Program extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
}

export async function startProgram(listener: RequestListener): Promise<Program> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

/** A proxy in front of workspace `ws`, which is Ada's; Bob and everybody else are strangers. */
export interface Rig extends AsyncDisposable {
  readonly proxy: PortProxy;
  readonly port: number;
  /** `<port>-ws.localhost:<the proxy's port>`. */
  host(port: number, workspace?: string): string;
  /** A Cookie header's value that signs in on a host. */
  cookie(host: string, userId?: string): Promise<string>;
  get(
    host: string,
    path: string,
    headers?: Record<string, string | string[]>,
    method?: string,
  ): Promise<Received>;
  /** A raw connection to the proxy. */
  dial(): Promise<Socket>;
  readonly clock: { at: number; now(): number };
  /** Ada's rights, to be taken away. */
  readonly rights: { ada: boolean };
  state: "running" | "stopped";
}

export async function startRig(): Promise<Rig> {
  const farEnd = await startFarEnd();
  const clock = { at: Date.now(), now: () => clock.at };
  const rights = { ada: true };
  const dial: Supervisors["dial"] = (target, to) => {
    if (rig.state === "running") return farEnd.supervisors.dial(target, to);
    return Promise.reject(new OneloopError("workspace-not-running", "It is stopped."));
  };
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = createPortProxy({
    domain: "localhost",
    publicUrl: `http://app.localhost:${port}`,
    authorize: async ({ userId }, name) =>
      userId === "ada" && name === "ws" && rights.ada
        ? { owner: farEnd.owner, actor: userId }
        : null,
    supervisors: { dial },
    secretKey: "k".repeat(32),
    clock,
    ids: randomIds,
    log: pino({ level: process.env["ONELOOP_TEST_LOG"] ?? "silent" }),
  });
  server.on("request", proxy.handleRequest);
  server.on("upgrade", proxy.handleUpgrade);

  const get: Rig["get"] = (host, path, headers = {}, method = "GET") =>
    new Promise((resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port, path, method, headers: { host, ...headers }, agent: false },
        (response) => {
          let body = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (body += chunk));
          response.on("error", reject);
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              rawHeaders: response.rawHeaders,
              trailers: response.trailers,
              body,
            }),
          );
        },
      );
      asked.on("error", reject);
      asked.end();
    });
  const rig: Rig = {
    proxy,
    port,
    clock,
    rights,
    state: "running",
    host: (to, workspace = "ws") => `${to}-${workspace}.localhost:${port}`,
    async cookie(host, userId = "ada") {
      const code = encodeURIComponent(proxy.mintCode(userId, host));
      const { headers } = await get(host, `/.oneloop/sign-in?code=${code}&to=/`);
      return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    },
    get,
    async dial() {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await proxy[Symbol.asyncDispose]();
      await farEnd[Symbol.asyncDispose]();
    },
  };
  return rig;
}
