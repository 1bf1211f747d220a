import type { Socket } from "node:net";
import type { GrantSigner } from "../auth/grants.ts";
import type { Engine } from "../engine/engine.ts";
import type { Owner, SupervisorAddress } from "../engine/steps.ts";
import { OneloopError } from "../protocol/errors.ts";
import {
  Hello,
  streamUpgrade,
  supervisorPaths,
  windowUpgrade,
  type AcceptRequest,
  type AttachStream,
  type DialInput,
  type ExecRequest,
  type GrantAction,
  type ListenRequest,
} from "../protocol/supervisor.ts";
import { deadline } from "../util/deadline.ts";
import { forwardBytes } from "../util/relayed-socket.ts";
import { ExecStream } from "./exec-stream.ts";
import { readListening, readListeningTcp, type Listening, type ListeningTcp } from "./listening.ts";
import { forwardWindowBytes, ReadCredit } from "./read-credit.ts";
import { readResponseHead } from "./response-head.ts";
import {
  answerTimeoutMs,
  open,
  parseJson,
  refusal,
  requestJson,
  unreachable,
} from "./supervisor-calls.ts";

/** Who asks for what, of which supervisor. */
export interface Target {
  readonly owner: Owner;
  /** The service whose container is meant; absent or null: the dev service's. */
  readonly service?: string | null;
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

/** A connection inside the workspace: its bytes come raw, and what goes to it goes by `credit`. */
export interface Forwarded {
  readonly socket: Socket;
  /** Null: what goes to it goes raw. */
  readonly credit: ReadCredit | null;
}

interface Connected {
  readonly address: SupervisorAddress;
  readonly boot: string;
}

/** An exec of a busy engine, and the start of a program: seconds at the worst. */
const enterTimeoutMs = 30_000;
/** Long enough for the next look at a service; what nobody looks at gets its memory back. */
const enteredIdleMs = 10 * 60 * 1000;

/**
 * The control plane's end of every supervisor: knows where each one listens, signs each request,
 * and hands out streams. One stream is one TCP connection.
 */
export class Supervisors {
  readonly #engine: Engine;
  readonly #signer: GrantSigner;
  /** By owner, then by service; the dev service's has an empty name. */
  readonly #connected = new Map<string, Map<string, Connected>>();
  /** Those that are being entered: many streams at once enter once. */
  readonly #entering = new Map<string, Promise<Connected>>();

  constructor(engine: Engine, signer: GrantSigner) {
    this.#engine = engine;
    this.#signer = signer;
  }

  /** What the reconciler learned at a start, so that the first request need not ask. */
  remember(owner: Owner, address: SupervisorAddress, boot: string): void {
    this.#keep({ owner, actor: "" }, { address, boot });
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

  /**
   * Runs a program whose standard input and output are the connection; its end is the program's.
   *
   * @throws OneloopError `not-found` also where the supervisor is one of before, without this.
   */
  async direct(
    target: Target,
    request: Pick<ExecRequest, "env"> & { readonly argv: readonly string[] },
  ): Promise<Socket> {
    const path = `${supervisorPaths.direct}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const { socket, rest } = await this.upgrade(target, { action: "exec", path });
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }

  /**
   * Joins a terminal that is there: its stream is as an exec's, and only its program ends it.
   *
   * @throws OneloopError `not-found` also where the supervisor is one of before, without this.
   */
  async attach(target: Target, id: string, request: AttachStream): Promise<ExecStream> {
    const query = encodeURIComponent(JSON.stringify(request));
    const path = `${supervisorPaths.terminalStream(id)}?q=${query}`;
    const { socket, rest } = await this.upgrade(target, { action: "terminal", path });
    return new ExecStream(socket, rest);
  }

  /** A connection to a port or a unix socket inside the workspace; half-close is preserved. */
  async dial(target: Target, request: DialInput): Promise<Socket> {
    return (await this.#dial(target, request)).socket;
  }

  /**
   * The same for a connection of which much may come: little of it is on its way to us at a time.
   * Supervisors of the first releases know no window, and all goes as with `dial`.
   */
  async forward(target: Target, request: DialInput): Promise<Forwarded> {
    const asked: DialInput = { ...request, window: forwardWindowBytes };
    const { socket, head } = await this.#dial(target, asked);
    return { socket, credit: givesWindow(head) ? new ReadCredit(socket) : null };
  }

  async #dial(target: Target, request: DialInput): Promise<Pick<Upgraded, "socket" | "head">> {
    const path = `${supervisorPaths.dial}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const stream = { action: "dial", path, readBytes: forwardBytes } as const;
    const { socket, head, rest } = await this.upgrade(target, stream);
    if (rest.length > 0) socket.unshift(rest);
    return { socket, head };
  }

  /**
   * Listens inside the workspace at a unix socket, until the answer is disposed: at `path`, or at
   * one of a new name.
   *
   * @throws OneloopError as `upgrade`; `conflict` where it cannot listen there.
   */
  listen(target: Target, path: string | null = null): Promise<Listening> {
    return this.#listen(
      target,
      path === null ? { kind: "unix" } : { kind: "path", path },
      readListening,
    );
  }

  /** The same at a port of the workspace's loopback; 0 for any free one. */
  listenTcp(target: Target, port: number): Promise<ListeningTcp> {
    return this.#listen(target, { kind: "tcp", port }, readListeningTcp);
  }

  async #listen<Place>(
    target: Target,
    request: ListenRequest,
    read: (stream: Upgraded, timeoutMs: number) => Promise<Place>,
  ): Promise<Place> {
    const path = `${supervisorPaths.listen}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const upgraded = await this.upgrade(target, { action: "listen", path });
    try {
      return await read(upgraded, answerTimeoutMs);
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** A connection that came to where it listens; half-close is preserved. */
  async accept(target: Target, id: string): Promise<Socket> {
    const request: AcceptRequest = { id };
    const path = `${supervisorPaths.accept}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const stream = { action: "listen", path, readBytes: forwardBytes } as const;
    const { socket, rest } = await this.upgrade(target, stream);
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
      /** What is read at once of it, at most. */
      readonly readBytes?: number;
    },
  ): Promise<Upgraded> {
    return this.#withConnection(target, async (connected) => {
      const socket = await open(connected.address, stream.readBytes);
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
    return this.#withConnection(target, async (connected) => {
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
    target: Target,
    use: (connected: Connected) => Promise<Result>,
  ): Promise<Result> {
    const cached = this.#connected.get(key(target.owner))?.get(target.service ?? "");
    if (cached !== undefined) {
      try {
        return await use(cached);
      } catch (error) {
        if (!(error instanceof OneloopError && error.code === "supervisor-unreachable"))
          throw error;
        this.#connected.get(key(target.owner))?.delete(target.service ?? "");
      }
    }
    return use(await this.#connect(target));
  }

  async #connect(target: Target): Promise<Connected> {
    const { owner, service = null } = target;
    if (service === null) return this.#keep(target, await this.#find(owner));
    const name = `${key(owner)}/${service}`;
    const known = this.#entering.get(name);
    if (known !== undefined) return known;
    const entering = this.#enter({ owner, service })
      .then((connected) => this.#keep(target, connected))
      .finally(() => this.#entering.delete(name));
    this.#entering.set(name, entering);
    return entering;
  }

  #keep({ owner, service }: Target, connected: Connected): Connected {
    const ofOwner = this.#connected.get(key(owner)) ?? new Map<string, Connected>();
    this.#connected.set(key(owner), ofOwner.set(service ?? "", connected));
    return connected;
  }

  /** What the engine brings from inside the container is more than what answers at an address. */
  async #enter(which: { owner: Owner; service: string }): Promise<Connected> {
    const setup = { publicKey: this.#signer.publicKey, idleMs: enteredIdleMs };
    using limit = deadline(null, enterTimeoutMs);
    return await this.#engine.enterService(which, setup, { signal: limit.signal });
  }

  async #find(owner: Owner): Promise<Connected> {
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
    return { address, boot: hello.data.boot };
  }
}

/** Whether a supervisor holds itself to the window that it was asked for. */
function givesWindow(head: Buffer): boolean {
  return new RegExp(`^upgrade: *${windowUpgrade} *$`, "im").test(head.toString("latin1"));
}

function key(owner: Owner): string {
  return `${owner.kind}:${owner.id}`;
}
