import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { parse as parseCookies } from "hono/utils/cookie";
import { databaseFailure } from "../db/database.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import { AttachTerminal, supervisorPaths } from "../protocol/supervisor.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { endWith } from "../util/http-doors.ts";
import { splice } from "../util/splice.ts";
import { parseLogin } from "../workspaces/places.ts";
import type { AppHosts } from "./origin.ts";
import type { ApiServices } from "./trpc.ts";

interface Parts {
  readonly services: ApiServices;
  readonly supervisors: Supervisors;
  readonly hosts: AppHosts;
  readonly sessionCookie: string;
}

/**
 * `GET /terminals/<workspace>/<terminal>?q=<AttachTerminal>`, `Upgrade: websocket`: checks who asks,
 * then joins the browser's socket with the supervisor's. The workspace may be written as
 * `<workspace>.<service>`. The supervisor does the WebSocket's handshake; no byte of the terminal is
 * parsed here.
 */
export function terminalUpgrade(parts: Parts) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    void attach(parts, request, { socket, head }).catch((thrown: unknown) => {
      const failure = databaseFailure(thrown) ?? toOneloopError(thrown);
      if (failure.code === "internal" || failure.code === "database-unavailable") {
        parts.services.log.error({ err: thrown }, "upgrade failed");
      }
      refuseUpgrade(socket, failure);
    });
  };
}

async function attach(
  { services, supervisors, hosts, sessionCookie }: Parts,
  request: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
): Promise<void> {
  // A missing Origin is refused too: every browser sends one on a WebSocket.
  const fromOwnPage =
    hosts.kindOf(request.headers.host) === "app" &&
    hosts.isOwnOrigin(request.headers.origin ?? null);
  if (!fromOwnPage) throw new OneloopError("forbidden", "This page is not Oneloop's.");
  const secret = parseCookies(request.headers.cookie ?? "", sessionCookie)[sessionCookie];
  const user =
    secret === undefined ? null : await services.accounts.authenticate(secret, "session");
  if (user === null) throw new OneloopError("not-signed-in", "You are not signed in.");
  const by = { userId: user.id, credentialId: user.tokenId };
  const registered = services.live.register(by, () => socket.destroy());
  socket.on("close", () => registered[Symbol.dispose]());

  const { workspace, terminal, query: given } = readAddress(request.url ?? "/");
  const key = request.headers["sec-websocket-key"] ?? "";
  if (request.headers.upgrade?.toLowerCase() !== "websocket" || !webSocketKey.test(key)) {
    throw new OneloopError("bad-input", "This address takes WebSockets only.");
  }
  const query = AttachTerminal.safeParse(parseJson(given ?? "{}"));
  if (!query.success) throw new OneloopError("bad-input", "The parameter q is not of its form.");

  const { workspace: name, service } = parseLogin(workspace);
  const place = await services.workspaces.runningPlace(user, name, service);
  const upgraded = await supervisors.upgrade(
    { ...place, actor: user.id },
    {
      action: "terminal",
      path: `${supervisorPaths.terminalSocket(terminal)}?q=${encodeURIComponent(JSON.stringify(query.data))}`,
      upgrade: "websocket",
      headers: {
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
      },
    },
  );
  if (socket.destroyed) {
    upgraded.socket.destroy();
    return;
  }
  const accept = acceptOf(key);
  if (!says(upgraded.head, accept)) {
    upgraded.socket.destroy();
    throw new OneloopError("supervisor-unreachable", "The workspace's answer was not understood.");
  }
  socket.write(ownHead(accept));
  if (upgraded.rest.length > 0) socket.write(upgraded.rest);
  if (head.length > 0) upgraded.socket.write(head);
  splice(socket, upgraded.socket);
}

const statusOf: Partial<Record<OneloopError["code"], string>> = {
  forbidden: "403 Forbidden",
  "not-signed-in": "401 Unauthorized",
  "not-found": "404 Not Found",
  "bad-input": "400 Bad Request",
  "workspace-not-running": "409 Conflict",
  "database-unavailable": "503 Service Unavailable",
};

/** Answers an upgrade with a failure. */
export function refuseUpgrade(socket: Duplex, failure: OneloopError): void {
  const body = JSON.stringify(failure.toWire());
  const head = [
    `HTTP/1.1 ${statusOf[failure.code] ?? "502 Bad Gateway"}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  endWith(socket, `${head.join("\r\n")}\r\n\r\n${body}`);
}

/** RFC 6455 section 4.1: 16 bytes in base64. */
const webSocketKey = /^[A-Za-z0-9+/]{22}==$/;
/** RFC 6455 section 1.3. */
const webSocketGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function acceptOf(key: string): string {
  return createHash("sha1")
    .update(key + webSocketGuid)
    .digest("base64");
}

/** Whether the supervisor's head agrees to this handshake. */
function says(head: Buffer, accept: string): boolean {
  const said = /^sec-websocket-accept:[ \t]*(\S+)[ \t]*\r$/im.exec(head.toString("latin1"));
  return said?.[1] === accept;
}

/**
 * A head of our own: the supervisor's comes from the workspace, and a `Set-Cookie` in it would be
 * the app's own to the browser.
 */
function ownHead(accept: string): string {
  const lines = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** @throws OneloopError `not-found` for every path but `/terminals/<workspace>/<terminal>`. */
function readAddress(path: string): { workspace: string; terminal: string; query: string | null } {
  // Whole: a path such as `//` would be taken for a host.
  const [, workspace, terminal, search = ""] =
    /^\/terminals\/([\w.-]+)\/([\w.-]+)(\?.*)?$/.exec(path) ?? [];
  if (workspace === undefined || terminal === undefined) {
    throw new OneloopError("not-found", "There is nothing at this address.");
  }
  return { workspace, terminal, query: new URLSearchParams(search).get("q") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
