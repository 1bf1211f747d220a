import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { createWebSocketStream, WebSocket } from "ws";
import { Failure } from "./failure.ts";
import type { Session } from "./session.ts";

/**
 * Joins standard input and output with the SSH gateway, over a WebSocket to the control plane's own
 * URL: a ProxyCommand for networks that let nothing but HTTPS through. Resolves when either ends.
 *
 * @throws Failure
 */
export async function sshStdio(session: Session): Promise<void> {
  const { token, createConnection } = await session.credentials();
  const url = `${session.url.replace(/^http/, "ws")}/ssh`;
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${token}` },
    // What is encrypted does not shrink.
    perMessageDeflate: false,
    ...(createConnection === undefined ? {} : { createConnection }),
  });
  // Now: the gateway speaks first, and what it says may come with the answer to the upgrade.
  const stream = createWebSocketStream(socket);
  // ssh has its own words for a connection that breaks.
  stream.on("error", () => stream.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", (error) => reject(unreachable(session.url, error)));
    socket.once("unexpected-response", (_request, response) => {
      void refusalOf(response).then(reject, reject);
    });
  });
  process.stdin.pipe(stream).pipe(process.stdout);
  if (!stream.closed) await once(stream, "close");
  // ssh may hold its end open still.
  process.stdin.destroy();
}

function unreachable(url: string, cause: Error): Failure {
  if (cause instanceof Failure) return cause;
  return new Failure(
    "control-plane-unreachable",
    `${url} does not let ssh through: ${cause.message}`,
    { cause },
  );
}

/** What the control plane, or a proxy before it, said instead. */
async function refusalOf(response: IncomingMessage): Promise<Failure> {
  const body = await text(response);
  let message = `the answer was ${response.statusCode}`;
  try {
    const said = JSON.parse(body) as { message?: unknown; error?: { message?: unknown } };
    const words = said.message ?? said.error?.message;
    if (typeof words === "string") message = words;
  } catch {
    // A proxy's page: its status has to do.
  }
  return new Failure("forbidden", message);
}
