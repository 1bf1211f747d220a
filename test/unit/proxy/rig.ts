import { once } from "node:events";
import {
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { DrizzleQueryError } from "drizzle-orm";
import { pino } from "pino";
import { LiveConnections } from "../../../server/auth/live.ts";
import type { WorkspaceRow } from "../../../server/db/workspaces.ts";
import type { PortVisibility } from "../../../server/protocol/workspace.ts";
import type { PortSession } from "../../../server/proxy/access.ts";
import { createPortProxy, type PortProxy } from "../../../server/proxy/port-proxy.ts";
import { portRights } from "../../../server/proxy/port-rights.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { Supervisors } from "../../../server/terminals/supervisors.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { startFarEnd } from "../../helpers/far-end.ts";
import { Told } from "../../helpers/signals.ts";

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

/** A program that answers with the request's method, target and headers, as they came. */
export function startEcho(
  onRequest: (request: IncomingMessage) => void = () => undefined,
): Promise<Program> {
  return startProgram((incoming, response) => {
    onRequest(incoming);
    const { method, url, rawHeaders } = incoming;
    incoming.resume();
    incoming.on("end", () => response.end(JSON.stringify({ method, url, rawHeaders })));
  });
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

/** A service of `ws` whose name is longer than a host name has room for. */
export const longService = "a-service-of-rather-many-words";

/**
 * A proxy in front of workspace `ws`, which is Ada's; Bob and everybody else are strangers. Of each
 * person there is one session, named after them.
 */
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
  /** Called with the far address of each connection that the proxy gets from now on. */
  onConnection(listener: (from: string) => void): void;
  /** A raw connection to the proxy. */
  dial(): Promise<Socket>;
  readonly clock: { at: number; now(): number };
  /** Sets a port's visibility, as the database does and tells it. */
  setVisibility(port: number, visibility: PortVisibility, service?: string): void;
  /** Ends somebody's session, as the database does and tells it. */
  revoke(userId: string): void;
  state: "running" | "stopped";
}

export function sessionOf(userId: string): PortSession {
  return { userId, tokenId: `session-of-${userId}` };
}

export async function startRig(): Promise<Rig> {
  const farEnd = await startFarEnd();
  const clock = { at: Date.now(), now: () => clock.at };
  const revocations = new Told();
  const changes = new Told();
  const revoked = new Set<string>();
  const visibility = new Map<
    string,
    { service: string; port: number; visibility: PortVisibility }
  >();
  const log = pino({ level: process.env["ONELOOP_TEST_LOG"] ?? "silent" });
  const live = new LiveConnections({
    revocations: { onRevoked: (listener) => revocations.listen(listener) },
    thoseThere: async (ids) => new Set(ids.filter((id) => !revoked.has(id))),
    log,
  });
  const services = ["dev", "db", longService].map((name) => ({ name }));
  const row = { id: farEnd.owner.id, name: "ws", ownerId: "ada", plan: { services } };
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
    authorize: portRights({
      accounts: {
        byTokenId: async (tokenId) => {
          const id = tokenId.replace("session-of-", "");
          return revoked.has(tokenId) ? null : { id, name: id, role: "member", tokenId };
        },
      },
      store: {
        byName: async (name) => {
          if (name === "unreadable") throw new DrizzleQueryError("select", [], new Error("gone"));
          return name === "ws" ? (row as WorkspaceRow) : null;
        },
        portSettings: async (workspaceId = "") =>
          [...visibility.values()].map((setting) => ({ ...setting, workspaceId })),
      },
    }),
    live,
    changes: { onChange: (listener) => changes.listen(listener) },
    supervisors: { dial },
    secretKey: "k".repeat(32),
    clock,
    ids: randomIds,
    log,
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
    setVisibility(to, wanted, service = "") {
      visibility.set(`${service} ${to}`, { service, port: to, visibility: wanted });
      changes.tell(row.id);
    },
    revoke(userId) {
      revoked.add(`session-of-${userId}`);
      revocations.tell(`session-of-${userId}`);
    },
    state: "running",
    host: (to, workspace = "ws") => `${to}-${workspace}.localhost:${port}`,
    async cookie(host, userId = "ada") {
      const code = encodeURIComponent(proxy.mintCode(sessionOf(userId), host));
      const { headers } = await get(host, `/.oneloop/sign-in?code=${code}&to=/`);
      return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    },
    get,
    onConnection(listener) {
      server.on("connection", ({ remotePort }) => listener(String(remotePort)));
    },
    async dial() {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await proxy[Symbol.asyncDispose]();
      live[Symbol.dispose]();
      await farEnd[Symbol.asyncDispose]();
    },
  };
  return rig;
}
