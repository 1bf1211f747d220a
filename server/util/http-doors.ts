import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { OneloopError } from "../protocol/errors.ts";
import type { Lifetime } from "./lifetime.ts";
import { spliceHighWaterMarkBytes } from "./splice.ts";

export interface HttpLimits {
  /** From the first byte of a request, or from the connection's begin, to the end of its head. */
  readonly headersTimeoutMs: number;
  /** How often connections are looked at for that. */
  readonly checkEveryMs: number;
  /** At a time, at each address; the next one is closed at once. */
  readonly connections: number;
}

/** A head is one packet or two; over the worst of lines it has come after this. */
const usualLimits: HttpLimits = {
  headersTimeoutMs: 20_000,
  checkEveryMs: 5000,
  // A page holds ten at most, and a hundred people have a few pages each. Each costs a descriptor or
  // two and some 50 kB: this many leave room for all else that the control plane does.
  connections: 4096,
};

/** Of all headers together; Node's own default, stated because the count has no limit here. */
const maxHeaderBytes = 16 * 1024;

/**
 * Longer than the 60 s for which nginx and others keep a connection to us: the one who closes first
 * must be the proxy, which would else lose a request that it had just sent.
 */
const keepAliveMs = 75_000;

/** For an API call's body, which is small: a slow line sends a whole devfile in less. */
const bodyTimeoutMs = 30_000;

/**
 * A server for both doors behind one port. A body's time is not limited here, because an upload to a
 * workspace's port may take hours; the API limits its own (`limitBodyTime`).
 */
export function createHttpServer(wanted: Partial<HttpLimits> = {}): Server {
  const limits = { ...usualLimits, ...wanted };
  const options: ServerOptions = {
    highWaterMark: spliceHighWaterMarkBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: limits.checkEveryMs,
    maxHeaderSize: maxHeaderBytes,
  };
  const server = createServer(options);
  // Beyond a count Node leaves headers out and says nothing: without its Origin a request would be
  // another one. Their size limits them.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  return server;
}

/** Ends the connection of a request whose body has not come in time. */
export function limitBodyTime(request: IncomingMessage): void {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === "0")) return;
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, bodyTimeoutMs);
  request.on("close", () => clearTimeout(timer));
}

/** Answers to an upgrade with text, and lets go of the connection whatever its other side does. */
export function endWith(socket: Duplex, text: string): void {
  if (socket.destroyed) return;
  // Without a destroy, a client that never ends its own side would keep the connection for ever.
  socket.end(text, () => socket.destroy());
}

export interface Doors {
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** A machine that lacks IPv6, or has it without a loopback: nobody else can be at ::1 either. */
const noSuchAddress = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"]);

/** With a port of the system's choice, the same one may be taken at the other address. */
const freePortAttempts = 10;

/**
 * Listens at once, so that the port is known; requests wait for `serve`. Browsers try both 127.0.0.1
 * and ::1 for `*.localhost`: with one of them both are taken, so that nobody else answers there.
 *
 * @param wanted 0: any port that is free at each address.
 * @throws OneloopError `conflict` where a program has the port at one of the addresses, `bad-input`
 * where the address is not this machine's.
 */
export async function listenHttp(
  lifetime: Lifetime,
  host: string,
  wanted: number,
): Promise<{ port: number; serve(doors: Doors): void }> {
  const { servers, port } = await listenAll(addressesOf(host), wanted);
  // Node's server forgets an upgraded connection, and yet waits for its end.
  const upgraded = new Set<Duplex>();
  lifetime.defer(() => {
    for (const socket of upgraded) socket.destroy();
    return Promise.all(servers.map(close));
  });
  return {
    port,
    serve: (doors) => {
      for (const server of servers) {
        server.on("request", doors.request);
        server.on("upgrade", (request, socket, head) => {
          upgraded.add(socket);
          socket.on("close", () => upgraded.delete(socket));
          doors.upgrade(request, socket, head);
        });
      }
    },
  };
}

/** The addresses to listen at; the first is the one that has to exist. */
function addressesOf(host: string): [string, ...string[]] {
  switch (host) {
    case "127.0.0.1":
    case "localhost":
      return ["127.0.0.1", "::1"];
    case "::1":
      return ["::1", "127.0.0.1"];
    case "0.0.0.0":
      return ["0.0.0.0", "::1"];
    default:
      return [host];
  }
}

async function listenAll(
  [first, ...others]: [string, ...string[]],
  wanted: number,
): Promise<{ servers: Server[]; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const servers = [createHttpServer()];
    try {
      const port = await bind(servers[0] ?? createHttpServer(), first, wanted);
      for (const address of others) {
        const server = createHttpServer();
        if (await bindIfThere(server, address, port)) servers.push(server);
      }
      return { servers, port };
    } catch (error) {
      await Promise.all(servers.map(close));
      const taken = error instanceof OneloopError && error.code === "conflict";
      if (wanted !== 0 || !taken || attempt === freePortAttempts) throw explained(error, first);
    }
  }
}

/** False on a machine that has no such address. */
async function bindIfThere(server: Server, host: string, port: number): Promise<boolean> {
  try {
    await bind(server, host, port);
    return true;
  } catch (error) {
    if (noSuchAddress.has((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      reject(error.code === "EADDRINUSE" ? taken(host, port, error) : error);
    };
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** What getaddrinfo(3) says of a name that nobody knows, or that nobody can be asked about. */
const unknownName = new Set(["ENOTFOUND", "EAI_AGAIN"]);

function explained(error: unknown, host: string): unknown {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (!noSuchAddress.has(code) && !unknownName.has(code)) return error;
  return new OneloopError(
    "bad-input",
    `This machine has no address ${host}. Set ONELOOP_HOST to one of its own, such as 127.0.0.1.`,
    { cause: error },
  );
}

function taken(host: string, port: number, cause: unknown): OneloopError {
  return new OneloopError(
    "conflict",
    `Port ${port} of ${host} is held by another program. End it (\`ss -ltnp\` names it), or set ` +
      "ONELOOP_PORT to a port that is free at 127.0.0.1 and ::1.",
    { cause },
  );
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
