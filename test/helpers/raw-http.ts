import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { SeenRequest } from "./smuggling.ts";

export interface Door {
  readonly port: number;
  /** The name to ask for, where the door speaks TLS. */
  readonly tlsName?: string;
}

/** A connection to a door of 127.0.0.1. */
export async function dialDoor({ port, tlsName }: Door): Promise<Socket> {
  const socket =
    tlsName === undefined
      ? connect(port, "127.0.0.1")
      : connectTls({
          ...{ port, host: "127.0.0.1", servername: tlsName },
          // The certificate is not what is tried.
          rejectUnauthorized: false,
        });
  socket.on("error", () => undefined);
  await once(socket, tlsName === undefined ? "connect" : "secureConnect");
  return socket;
}

/**
 * Sends bytes, latin1, and reads until the door closes: it was broken off, or the last request asked
 * for it. The own side stays open, as Node's server answers nobody who has ended.
 */
export async function converse(door: Door, bytes: string): Promise<string> {
  const socket = await dialDoor(door);
  socket.setEncoding("latin1");
  let answer = "";
  socket.on("data", (chunk: string) => (answer += chunk));
  socket.write(bytes, "latin1");
  await closed(socket);
  return answer;
}

/** However it came to that. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

/** The statuses of the answers of a connection. */
export function statuses(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** A program that answers everything, and keeps what came to it, byte for byte. */
export interface Recorder extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** `METHOD path` of each request that it understood, in order, since the last call. */
  take(): { requests: string[]; heads: SeenRequest[]; bytes: string };
}

/** @param host of this machine. It reads as carelessly as Node's server can be told to. */
export async function startRecorder(host = "127.0.0.1"): Promise<Recorder> {
  let requests: string[] = [];
  let bytes = "";
  const server = createServer({ insecureHTTPParser: true }, (incoming, response) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    incoming.resume();
    incoming.on("end", () => response.end(`${incoming.method} ${incoming.url}`));
    incoming.on("error", () => undefined);
  });
  server.on("connection", (socket) => {
    socket.on("data", (chunk: Buffer) => (bytes += chunk.toString("latin1")));
    socket.on("error", () => undefined);
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    server,
    port: (server.address() as AddressInfo).port,
    take() {
      const seen = { requests, heads: headsIn(bytes, requests), bytes };
      [requests, bytes] = [[], ""];
      return seen;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The heads of the requests that were understood; what looks like one in a body is none. */
function headsIn(bytes: string, requests: readonly string[]): SeenRequest[] {
  let from = 0;
  return requests.map((request) => {
    const start = bytes.indexOf(`${request} HTTP/`, from);
    const end = bytes.indexOf("\r\n\r\n", start);
    from = end;
    const [line = "", ...headers] = bytes.slice(start, end).split("\r\n");
    return { line, headers };
  });
}
