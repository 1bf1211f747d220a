import { request as httpRequest, type RequestOptions } from "node:http";
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { toOneloopError } from "../../protocol/errors.ts";
import type { Probe } from "../../protocol/service.ts";
import { deadline } from "../../util/deadline.ts";

/** `unknown`: it could not be asked, which says nothing about the service. */
export type CheckResult =
  | { readonly kind: "yes" }
  | { readonly kind: "no"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string };

export interface CheckParts {
  /** A connection to a port of the service, from inside the workspace's network. */
  readonly dial: (port: number) => Promise<Socket>;
  /** Runs a command in the service's container; its exit status. */
  readonly exec: (command: readonly string[], signal: AbortSignal) => Promise<number>;
}

/** Head of a page that a program makes up itself; more is no answer to a probe. */
const maxHeadBytes = 64 * 1024;
const yes: CheckResult = { kind: "yes" };
const no = (why: string): CheckResult => ({ kind: "no", why });

/** Failures that are ours, or the engine's: nobody was asked. */
const unasked: ReadonlySet<string> = new Set([
  "supervisor-unreachable",
  "workspace-not-running",
  "engine-unreachable",
  "engine-failed",
]);

/** Asks a service once, for no longer than its probe says. Rejects only where the signal is aborted. */
export async function check(
  { check: asked, timeoutS }: Pick<Probe, "check" | "timeoutS">,
  parts: CheckParts,
  signal: AbortSignal,
): Promise<CheckResult> {
  using limited = deadline(signal, timeoutS * 1000);
  try {
    return await byKind(asked, parts, limited.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (limited.signal.aborted) return no(`no answer within ${timeoutS} s`);
    const { code, message } = toOneloopError(error);
    if (unasked.has(code)) return { kind: "unknown", why: message };
    return no(code === "internal" ? wordsOf(error) : message);
  }
}

function byKind(
  asked: Probe["check"],
  parts: CheckParts,
  signal: AbortSignal,
): Promise<CheckResult> {
  switch (asked.kind) {
    case "tcp":
      return withSocket(parts, { port: asked.port, signal }, async () => yes);
    case "http":
      return withSocket(parts, { port: asked.port, signal }, (socket) =>
        askHttp(socket, asked, signal),
      );
    case "grpc":
      return withSocket(parts, { port: asked.port, signal }, (socket) =>
        askGrpc(socket, asked, signal),
      );
    case "exec":
      return parts
        .exec(asked.command, signal)
        .then((status) => (status === 0 ? yes : no(`its check ended with status ${status}`)));
    default:
      return asked satisfies never;
  }
}

/** The connection is given up with the signal, also where it comes too late. */
async function withSocket(
  { dial }: CheckParts,
  { port, signal }: { port: number; signal: AbortSignal },
  ask: (socket: Socket) => Promise<CheckResult>,
): Promise<CheckResult> {
  const dialled = dial(port);
  const late = (socket: Socket): void => {
    if (signal.aborted) socket.destroy();
  };
  dialled.then(late, () => undefined);
  const socket = await untilAborted(dialled, signal);
  // A stream that breaks after its answer is nobody's failure.
  socket.on("error", () => undefined);
  try {
    return await ask(socket);
  } finally {
    socket.destroy();
  }
}

function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

type HttpCheck = Extract<Probe["check"], { kind: "http" }>;

/** As kubelet has it: 200 to 399 is a yes; certificates are not looked at. */
function askHttp(
  socket: Socket,
  { scheme, path, headers, port }: HttpCheck,
  signal: AbortSignal,
): Promise<CheckResult> {
  const stream = scheme === "https" ? connectTls({ socket, rejectUnauthorized: false }) : socket;
  const options: RequestOptions = {
    method: "GET",
    path: path.startsWith("/") ? path : `/${path}`,
    host: "localhost",
    port,
    headers: { "user-agent": "kube-probe/1.30", accept: "*/*", connection: "close", ...headers },
    maxHeaderSize: maxHeadBytes,
    // No agent: it would make a connection of its own.
    createConnection: () => stream,
    signal,
  };
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    const asking = httpRequest(options, (response) => {
      const { statusCode = 0 } = response;
      response.destroy();
      const isGood = statusCode >= 200 && statusCode < 400;
      resolve(isGood ? yes : no(`${path} answers with ${statusCode}`));
    });
    asking.on("error", reject);
    // A connection on which a head was read before stands still until somebody says otherwise.
    asking.on("socket", () => socket.resume());
    asking.end();
  });
}

type GrpcCheck = Extract<Probe["check"], { kind: "grpc" }>;

/** HealthCheckResponse.status (grpc/health/v1/health.proto): field 1, SERVING. */
const serving = Buffer.from([0x08, 0x01]);

/** `grpc.health.v1.Health/Check`, as kubelet asks it. */
async function askGrpc(
  socket: Socket,
  { service, port }: GrpcCheck,
  signal: AbortSignal,
): Promise<CheckResult> {
  const session = connectHttp2(`http://localhost:${port}`, { createConnection: () => socket });
  const end = (): void => session.destroy();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await callHealth(session, service);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

function callHealth(session: ClientHttp2Session, service: string): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    const call = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/grpc.health.v1.Health/Check",
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      te: "trailers",
    });
    const pieces: Buffer[] = [];
    let bytes = 0;
    let status = "";
    const readStatus = (headers: IncomingHttpHeaders): void => {
      const said = headers["grpc-status"];
      if (typeof said === "string") status = said;
    };
    call.on("response", readStatus);
    call.on("trailers", readStatus);
    call.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > maxHeadBytes) call.destroy();
      else pieces.push(piece);
    });
    call.on("error", reject);
    call.on("close", () => {
      // One message: a byte for compression, its length in four, the message.
      const message = Buffer.concat(pieces).subarray(5);
      const isServing = (status === "" || status === "0") && message.equals(serving);
      resolve(
        isServing
          ? yes
          : no(`its health service does not say SERVING (status ${status || "none"})`),
      );
    });
    call.end(grpcRequest(service));
  });
}

function grpcRequest(service: string): Buffer {
  const name = Buffer.from(service);
  // HealthCheckRequest.service: field 1, text.
  const message = name.length === 0 ? name : Buffer.concat([varText(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varText(length: number): Buffer {
  const bytes = [0x0a];
  for (let left = length; ; left >>>= 7) {
    if (left < 0x80) {
      bytes.push(left);
      return Buffer.from(bytes);
    }
    bytes.push((left & 0x7f) | 0x80);
  }
}

function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ECONNRESET" || message === "socket hang up") return "the connection was cut";
  return message.slice(0, 200) || "it failed";
}
