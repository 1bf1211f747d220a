import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";
import { databaseFailure } from "../db/database.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { AppHosts } from "./origin.ts";
import { refuseUpgrade } from "./terminal-upgrade.ts";
import type { ApiServices } from "./trpc.ts";

/** Where `loop ssh --stdio` connects to. */
export const sshPath = "/ssh";

/** A client sends what it read at once; nobody has to be kept more for. */
const maxMessageBytes = 1024 * 1024;

/** Takes a connection for the SSH gateway; `ends` are those of the TCP connection below it. */
export type SshDoor = (stream: Duplex, ends: Socket) => void;

interface Parts {
  readonly services: Pick<ApiServices, "accounts" | "live" | "log">;
  readonly hosts: AppHosts;
  readonly sshDoor: SshDoor;
}

/**
 * `GET /ssh`, `Upgrade: websocket`, with a token: the SSH protocol in binary messages, for networks
 * that let nothing but HTTPS through. The token only opens this door: who the person is to the
 * gateway, their key says, as at its own port. Browsers have no business here.
 */
export function sshUpgrade(parts: Parts) {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // What is encrypted does not shrink.
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const fail = (): void => void socket.destroy();
    socket.on("error", fail);
    admit(parts, request)
      .then(({ userId, credentialId }) => {
        if (socket.destroyed) return;
        const by = { userId, credentialId };
        const registered = parts.services.live.register(by, () => socket.destroy());
        socket.on("close", () => registered[Symbol.dispose]());
        if (socket.destroyed) return;
        webSockets.handleUpgrade(request, socket, head, (webSocket) => {
          parts.sshDoor(createWebSocketStream(webSocket), request.socket);
        });
      })
      .catch((thrown: unknown) => {
        const failure = databaseFailure(thrown) ?? toOneloopError(thrown);
        if (failure.code === "internal" || failure.code === "database-unavailable") {
          parts.services.log.error({ err: thrown }, "an ssh upgrade failed");
        }
        refuseUpgrade(socket, failure);
      });
  };
}

async function admit(
  { services, hosts }: Parts,
  { headers }: IncomingMessage,
): Promise<{ userId: string; credentialId: string }> {
  const browser = headers.origin !== undefined || headers.cookie !== undefined;
  if (browser || hosts.kindOf(headers.host) === "other") {
    throw new OneloopError("forbidden", "This address is for `loop ssh --stdio`.");
  }
  if (headers.upgrade?.toLowerCase() !== "websocket") {
    throw new OneloopError("bad-input", "This address takes WebSockets only.");
  }
  const secret = /^Bearer (\S+)$/.exec(headers.authorization ?? "")?.[1];
  const user = secret === undefined ? null : await services.accounts.authenticate(secret, "token");
  if (user === null) {
    throw new OneloopError("not-signed-in", "You are not signed in. Run `loop login`.");
  }
  return { userId: user.id, credentialId: user.tokenId };
}
