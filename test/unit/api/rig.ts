import { once } from "node:events";
import type { Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { pino } from "pino";
import { createApi, type ApiOptions } from "../../../server/api/http.ts";
import { AppHosts } from "../../../server/api/origin.ts";
import type { ApiServices } from "../../../server/api/trpc.ts";
import type { SignedIn } from "../../../server/auth/accounts.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import type { Supervisors } from "../../../server/terminals/supervisors.ts";
import { createHttpServer } from "../../../server/util/http-doors.ts";

const ada: SignedIn = { id: "ada", name: "Ada", role: "owner", tokenId: "t" };
/** The secret of Ada's session, and of her token. */
export const secret = "oneloop_good";

/** The app's door alone, on a free port; Ada is signed in by `secret`, and has workspace `w`. */
export interface ApiRig extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** `app.localhost:<port>` */
  readonly host: string;
  /** How many connections the server holds. */
  connections(): Promise<number>;
  /** A raw connection, which ends its side only when the test does. */
  dial(): Promise<Socket>;
}

export async function startApi(
  parts: {
    readonly supervisors?: Supervisors;
    readonly owner?: Owner;
    readonly portSignIn?: ApiOptions["portSignIn"];
    /** The database fails every query with this. */
    readonly databaseFailure?: Error;
  } = {},
): Promise<ApiRig> {
  const server = createHttpServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://app.localhost:${port}`;
  const services = {
    accounts: {
      authenticate: async (given: string) => {
        if (parts.databaseFailure !== undefined) throw parts.databaseFailure;
        return given === secret ? ada : null;
      },
      exchange: async ({ code }: { code: string }) => ({
        secret: `oneloop_${code.length}`,
        user: { id: ada.id, name: ada.name, role: ada.role },
      }),
    },
    // Nothing is revoked here.
    live: { register: () => ({ [Symbol.dispose]: () => undefined }) },
    workspaces: { runningPlace: async () => ({ owner: parts.owner, service: null }) },
    log: pino({ level: process.env["ONELOOP_TEST_LOG"] ?? "silent" }),
  };
  const api = createApi({
    services: services as unknown as ApiServices,
    supervisors: parts.supervisors as Supervisors,
    hosts: new AppHosts(url, "localhost"),
    webFolder: tmpdir(),
    portSignIn: parts.portSignIn ?? (async () => null),
    sshDoor: (stream) => stream.destroy(),
    counters: { text: () => "" },
  });
  server.on("request", api.handleRequest);
  server.on("upgrade", api.handleUpgrade);
  return {
    server,
    port,
    host: `app.localhost:${port}`,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    async dial() {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", () => undefined);
      await once(socket, "connect");
      return socket;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** What comes on a connection until it is closed from there. */
export async function untilClosed(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await once(socket, "end");
  socket.end();
  return text;
}
