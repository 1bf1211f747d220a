import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { parse as parseCookies } from "hono/utils/cookie";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import { AttachTerminal, supervisorPaths } from "../protocol/supervisor.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { splice } from "../util/splice.ts";
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
 * then joins the browser's socket with the supervisor's. The supervisor does the WebSocket's
 * handshake; no byte of the terminal is parsed here.
 */
export function terminalUpgrade(parts: Parts) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    void attach(parts, request, { socket, head }).catch((thrown: unknown) => {
      const failure = toOneloopError(thrown);
      if (failure.code === "internal") parts.services.log.error({ err: thrown }, "upgrade failed");
      refuse(socket, failure);
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

  const url = new URL(request.url ?? "/", "http://app");
  const [, terminals, workspace, terminal, more] = url.pathname.split("/").map(decodeURIComponent);
  if (terminals !== "terminals" || !workspace || !terminal || more !== undefined) {
    throw new OneloopError("not-found", "There is nothing at this address.");
  }
  const key = request.headers["sec-websocket-key"];
  if (request.headers.upgrade?.toLowerCase() !== "websocket" || typeof key !== "string") {
    throw new OneloopError("bad-input", "This address takes WebSockets only.");
  }
  const query = AttachTerminal.safeParse(parseJson(url.searchParams.get("q") ?? "{}"));
  if (!query.success) throw new OneloopError("bad-input", "The parameter q is not of its form.");

  const { owner } = await services.workspaces.runningOwner(user, workspace);
  const upgraded = await supervisors.upgrade(
    { owner, actor: user.id },
    {
      action: "terminal",
      path: `${supervisorPaths.terminalSocket(terminal)}?q=${encodeURIComponent(JSON.stringify(query.data))}`,
      upgrade: "websocket",
      headers: {
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": request.headers["sec-websocket-version"] ?? "13",
      },
    },
  );
  if (socket.destroyed) {
    upgraded.socket.destroy();
    return;
  }
  socket.write(upgraded.head);
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
};

function refuse(socket: Duplex, failure: OneloopError): void {
  const body = JSON.stringify(failure.toWire());
  socket.end(
    [
      `HTTP/1.1 ${statusOf[failure.code] ?? "502 Bad Gateway"}`,
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
