import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import type { GrantSigner } from "../auth/grants.ts";
import type { Engine, Owner, SupervisorAddress } from "../engine/engine.ts";
import { OneloopError } from "../protocol/errors.ts";
import {
  Hello,
  streamUpgrade,
  supervisorPaths,
  type AcceptRequest,
  type DialRequest,
  type ExecRequest,
  type GrantAction,
} from "../protocol/supervisor.ts";
import { spliceHighWaterMarkBytes } from "../util/splice.ts";
import { ExecStream } from "./exec-stream.ts";
import { readListening, type Listening } from "./listening.ts";
import { readResponseHead } from "./response-head.ts";

/** Who asks for what, of which supervisor. */
export interface Target {
  readonly owner: Owner;
  /** A user's id, or `control-plane`. */
  readonly actor: string;
  readonly readOnly?: boolean;
}

export interface Upgraded {
  readonly socket: Socket;
  /** The whole response head as it came: a stranger's words. */
  readonly head: Buffer;
  /** Bytes that followed the head already. */
  readonly rest: Buffer;
}

interface Connected {
  readonly address: SupervisorAddress;
  readonly boot: string;
}

/** A supervisor on the same machine answers in milliseconds; this is a broken one. */
const answerTimeoutMs = 10_000;
const maxBodyBytes = 1024 * 1024;

/**
 * The control plane's end of every supervisor: knows where each one listens, signs each request,
 * and hands out streams. One stream is one TCP connection.
 */
export class Supervisors {
  readonly #engine: Engine;
  readonly #signer: GrantSigner;
  readonly #connected = new Map<string, Connected>();

  constructor(engine: Engine, signer: GrantSigner) {
    this.#engine = engine;
    this.#signer = signer;
  }

  /** What the reconciler learned at a start, so that the first request need not ask. */
  remember(owner: Owner, address: SupervisorAddress, boot: string): void {
    this.#connected.set(key(owner), { address, boot });
  }

  /** After a stop: the next request asks the engine again. */
  forget(owner: Owner): void {
    this.#connected.delete(key(owner));
  }

  /** Runs a command; the stream's `started` frame comes first. */
  async exec(target: Target, request: Partial<ExecRequest>): Promise<ExecStream> {
    const path = `${supervisorPaths.exec}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const { socket, rest } = await this.upgrade(target, { action: "exec", path });
    return new ExecStream(socket, rest);
  }

  /** A connection to a port inside the workspace; half-close is preserved. */
  async dial(target: Target, request: Partial<DialRequest> & { port: number }): Promise<Socket> {
    const path = `${supervisorPaths.dial}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const { socket, rest } = await this.upgrade(target, { action: "dial", path });
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }

  /** Listens inside the workspace at a new unix socket, until the answer is disposed. */
  async listen(target: Target): Promise<Listening> {
    const stream = { action: "listen", path: supervisorPaths.listen } as const;
    const upgraded = await this.upgrade(target, stream);
    try {
      return await readListening(upgraded, answerTimeoutMs);
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** A connection that came to a socket of `listen`; half-close is preserved. */
  async accept(target: Target, id: string): Promise<Socket> {
    const request: AcceptRequest = { id };
    const path = `${supervisorPaths.accept}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const { socket, rest } = await this.upgrade(target, { action: "listen", path });
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }

  /**
   * Opens an upgraded stream.
   *
   * @throws OneloopError `supervisor-unreachable` when nobody answers, `workspace-not-running` when
   * the workspace has no supervisor now, `conflict` when the supervisor refused; its words are in
   * the message.
   */
  async upgrade(
    target: Target,
    stream: {
      readonly action: GrantAction;
      readonly path: string;
      readonly upgrade?: string;
      /** Extra head lines, such as the WebSocket's key. */
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<Upgraded> {
    return this.#withConnection(target.owner, async (connected) => {
      const socket = await open(connected.address);
      const head = [
        `GET ${stream.path} HTTP/1.1`,
        "Host: supervisor",
        "Connection: Upgrade",
        `Upgrade: ${stream.upgrade ?? streamUpgrade}`,
        `Authorization: ${this.#sign(target, connected.boot, stream.action)}`,
        ...Object.entries(stream.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
      ];
      socket.write(`${head.join("\r\n")}\r\n\r\n`);
      const response = await readResponseHead(socket, answerTimeoutMs);
      if (response.status !== 101) {
        socket.destroy();
        throw refusal(response.status, response.rest.toString("utf8"));
      }
      return { socket, head: response.head, rest: response.rest };
    });
  }

  /** A JSON request; resolves with the parsed body, or `null` for 204. */
  async json(
    target: Target,
    call: {
      readonly action: GrantAction;
      readonly method: "GET" | "POST" | "DELETE";
      readonly path: string;
      readonly body?: unknown;
    },
  ): Promise<unknown> {
    return this.#withConnection(target.owner, async (connected) => {
      const { status, body } = await requestJson(connected.address, {
        method: call.method,
        path: call.path,
        headers: { authorization: this.#sign(target, connected.boot, call.action) },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      if (status >= 300) throw refusal(status, body);
      return body === "" ? null : parseJson(body);
    });
  }

  #sign(target: Target, boot: string, action: GrantAction): string {
    return this.#signer.sign({
      workspace: target.owner.id,
      boot,
      actor: target.actor,
      action,
      readOnly: target.readOnly ?? false,
    });
  }

  /**
   * Runs with what is known of the supervisor; when that turns out to be old (it restarted: nobody
   * listens there, or the boot is another), asks the engine once and tries again.
   */
  async #withConnection<Result>(
    owner: Owner,
    use: (connected: Connected) => Promise<Result>,
  ): Promise<Result> {
    const cached = this.#connected.get(key(owner));
    if (cached !== undefined) {
      try {
        return await use(cached);
      } catch (error) {
        if (!(error instanceof OneloopError && error.code === "supervisor-unreachable"))
          throw error;
        this.#connected.delete(key(owner));
      }
    }
    return use(await this.#connect(owner));
  }

  async #connect(owner: Owner): Promise<Connected> {
    const address = await this.#engine.supervisorAddress(owner);
    if (address === null) {
      throw new OneloopError(
        "workspace-not-running",
        "The workspace is not running. Start it with `loop start`.",
      );
    }
    const { status, body } = await requestJson(address, {
      method: "GET",
      path: supervisorPaths.hello,
      headers: {},
    });
    const hello = Hello.safeParse(status === 200 ? parseJson(body) : null);
    if (!hello.success || hello.data.workspace !== owner.id) {
      throw unreachable(new Error(`unexpected hello (${status}): ${body.slice(0, 200)}`));
    }
    const connected = { address, boot: hello.data.boot };
    this.#connected.set(key(owner), connected);
    return connected;
  }
}

function key(owner: Owner): string {
  return `${owner.kind}:${owner.id}`;
}

function unreachable(cause: unknown): OneloopError {
  return new OneloopError(
    "supervisor-unreachable",
    "The workspace does not answer. If this lasts, stop and start it.",
    { cause },
  );
}

/** @throws OneloopError `supervisor-unreachable` where the text is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreachable(error);
  }
}

/** 401 means that the boot changed under us; everything else is the supervisor's own answer. */
function refusal(status: number, body: string): OneloopError {
  let message = `the workspace's supervisor answered ${status}`;
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed !== null && typeof parsed === "object" && "message" in parsed) {
      message = String(parsed.message).slice(0, 300);
    }
  } catch {
    // Not JSON: the status has to do.
  }
  if (status === 401) return unreachable(new Error(message));
  return new OneloopError(status === 404 ? "not-found" : "conflict", message);
}

function open(address: SupervisorAddress): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // A variable, because Node's types lack the last option, which it passes on to the stream.
    const options = {
      host: address.host,
      port: address.port,
      noDelay: true,
      allowHalfOpen: true,
      highWaterMark: spliceHighWaterMarkBytes,
    };
    const socket = connect(options);
    const timer = setTimeout(
      () => socket.destroy(new Error("no connection in time")),
      answerTimeoutMs,
    );
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      // The owner of the stream adds its own; without one, an error ends the stream quietly.
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(unreachable(error));
    });
  });
}

function requestJson(
  address: SupervisorAddress,
  call: { method: string; path: string; headers: Record<string, string>; body?: string },
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...address,
        method: call.method,
        path: call.path,
        agent: false,
        headers: {
          host: "supervisor",
          ...call.headers,
          ...(call.body === undefined
            ? {}
            : {
                "content-type": "application/json",
                "content-length": Buffer.byteLength(call.body),
              }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBodyBytes) request.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        response.on("error", (error) => reject(unreachable(error)));
      },
    );
    // For the whole answer: one that trickles is none.
    const deadline = setTimeout(
      () => request.destroy(new Error("no answer in time")),
      answerTimeoutMs,
    );
    request.on("close", () => clearTimeout(deadline));
    request.on("error", (error) => reject(unreachable(error)));
    request.end(call.body);
  });
}
