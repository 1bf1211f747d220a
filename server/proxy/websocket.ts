import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { readResponseHead } from "../terminals/response-head.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { splice } from "../util/splice.ts";
import { isOwnSetCookie, pairs, requestHeaders } from "./headers.ts";
import type { Destination } from "./upstreams.ts";

/** A program that compiles before it answers takes its time. */
const answerTimeoutMs = 60_000;

/**
 * Passes a WebSocket handshake on with a rebuilt head, and joins the two connections only after
 * the program has agreed with 101. Any other answer is passed back, and ends the connection.
 *
 * @throws OneloopError when the port cannot be reached or does not answer.
 */
export async function forwardUpgrade(
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
  { target, host, port }: Destination,
  {
    supervisors,
    publicProtocol,
  }: { supervisors: Pick<Supervisors, "dial">; publicProtocol: string },
): Promise<void> {
  const upstream = await supervisors.dial(target, { host, port });
  const end = (): void => {
    upstream.destroy();
  };
  socket.on("close", end);
  if (socket.destroyed) end();
  const headers = [...requestHeaders(request, publicProtocol), "Connection", "Upgrade"];
  headers.push("Upgrade", "websocket");
  upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines(headers)}\r\n`, "latin1");
  const answer = await readResponseHead(upstream, answerTimeoutMs);
  socket.off("close", end);
  if (socket.destroyed) {
    end();
    return;
  }
  if (!statusLine.test(statusLineOf(answer.head))) {
    end();
    throw new Error("the program's answer has no status line");
  }
  const switched = answer.status === 101;
  socket.write(answerHead(answer.head, switched), "latin1");
  socket.write(answer.rest);
  if (switched) {
    upstream.write(head);
    splice(socket, upstream);
    return;
  }
  // The rest of the answer only: what the browser sends from now on is nobody's, as it would be a
  // request that no one has judged.
  socket.resume();
  socket.on("close", end);
  socket.on("end", end);
  // Whatever the browser does with its own side: nobody listens to it any more.
  socket.on("finish", () => socket.destroy());
  upstream.on("close", () => socket.end());
  upstream.setTimeout(answerTimeoutMs, end);
  upstream.pipe(socket);
}

/** RFC 9112 section 4. A line feed alone would begin another header in a browser's eyes. */
const statusLine = /^HTTP\/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/** Up to the first CR LF. */
function statusLineOf(head: Buffer): string {
  return head.toString("latin1", 0, head.indexOf("\r\n"));
}

function lines(headers: readonly string[]): string {
  return pairs(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

/** The program's head as it came, without what only we may set. */
function answerHead(head: Buffer, switched: boolean): string {
  const [status = "", ...fields] = head.toString("latin1").trimEnd().split("\r\n");
  const kept = fields.filter((field) => {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon).toLowerCase();
    // A folded line (RFC 9112 section 5.2) would be taken for a part of the line before.
    if (colon < 1 || /[^\w!#$%&'*+.^`|~-]/.test(name) || /[\r\n]/.test(field)) return false;
    if (!switched && (name === "connection" || name === "keep-alive")) return false;
    return !isOwnSetCookie(name, field.slice(colon + 1));
  });
  if (!switched) kept.push("Connection: close");
  return `${[status, ...kept].join("\r\n")}\r\n\r\n`;
}
