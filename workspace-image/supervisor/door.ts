import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  type GrantAction,
  type GrantClaims,
  type Hello,
  controlPlaneActor,
  streamUpgrade,
  windowUpgrade,
} from "../../server/protocol/supervisor.ts";
import type { Control } from "./control.ts";
import { dial, splice, spliceWithin } from "./dial.ts";
import { runDirect } from "./direct.ts";
import { CannotStart } from "./environment.ts";
import { serveAttach } from "./exec-pty.ts";
import { serveExec, type ExecParts } from "./exec.ts";
import type { GrantNeed, Grants } from "./grants.ts";
import {
  parseJson,
  readAcceptRequest,
  readAttachStream,
  readAttachTerminal,
  readCreateTerminal,
  readDialRequest,
  readExecRequest,
  readListenRequest,
  readOutputRequest,
  readSetup,
} from "./guards.ts";
import type { Listeners } from "./listeners.ts";
import { serveOutput } from "./output-stream.ts";
import { badInput, Refusal } from "./refusal.ts";
import { applySetup, type SetupParts } from "./setup.ts";
import type { Tasks } from "./tasks.ts";
import { serveTerminalSocket, type Upgrade } from "./terminal-socket.ts";

/**
 * The only `Host` that is answered. A browser that a page sends here (DNS rebinding) names another.
 */
const ownHost = "supervisor";

const maxBodyBytes = 64 * 1024;

/** A person's variables may hold a certificate or two; Linux takes 2 MiB for a whole environment. */
const maxSetupBytes = 512 * 1024;

/** Beyond any use that people make of one workspace; it bounds what a runaway client can take. */
const maxExecStreams = 512;

export interface DoorParts extends SetupParts, Omit<ExecParts, "onActivity"> {
  readonly hello: Hello;
  readonly grants: Grants;
  readonly tasks: Tasks;
  readonly control: Control;
  readonly listeners: Listeners;
  /** Where paths that a client gives begin. */
  readonly home: string;
}

/** Lets requests in and leads them where they belong. */
export class Door {
  readonly #parts: DoorParts;
  #execStreams = 0;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.#answer(request);
      if (answer === null) response.writeHead(204).end();
      else respond(response, 200, answer);
    } catch (error) {
      const refusal = this.#refusal(error);
      const { status, code, message } = refusal;
      // What is left of the request's body is not read: the connection ends with the answer.
      response.setHeader("connection", "close");
      respond(response, status, { code, message });
    }
  }

  async upgrade(upgrade: Upgrade): Promise<void> {
    try {
      await this.#join(upgrade);
    } catch (error) {
      refuseUpgrade(upgrade.socket, this.#refusal(error));
    }
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    const { terminals, tasks, hello } = this.#parts;
    const { path, id } = this.#route(request);
    switch (`${request.method} ${path}`) {
      case "GET /hello":
        return hello;
      case "GET /terminals":
        this.#grant(request, { action: "terminal", forReadOnly: true });
        return terminals.list();
      case "POST /terminals":
        this.#grant(request, { action: "terminal", forReadOnly: false });
        return this.#createTerminal(await body(request, maxBodyBytes));
      case "DELETE /terminals/*":
        this.#grant(request, { action: "terminal", forReadOnly: false });
        terminals.remove(terminals.get(id));
        return null;
      case "GET /tasks":
        this.#grant(request, { action: "state", forReadOnly: true });
        return tasks.list();
      case "POST /setup":
        this.#grant(request, { action: "setup", forReadOnly: false });
        this.#setUp(await body(request, maxSetupBytes));
        return null;
      default:
        throw noSuchPath();
    }
  }

  async #join(upgrade: Upgrade): Promise<void> {
    const { terminals, control, listeners } = this.#parts;
    const { request, socket, head } = upgrade;
    const { path, id, query } = this.#route(request);
    const protocol = (request.headers.upgrade ?? "").toLowerCase();
    switch (`${request.method} ${path} ${protocol}`) {
      case "GET /terminals/*/socket websocket": {
        const { readOnly } = this.#grant(request, { action: "terminal", forReadOnly: true });
        const { from } = readAttachTerminal(parseJson(query));
        const onActivity = (): void => control.activity();
        await serveTerminalSocket(terminals.get(id), upgrade, { from, readOnly, onActivity });
        return;
      }
      case `GET /terminals/*/stream ${streamUpgrade}`: {
        this.#grant(request, { action: "terminal", forReadOnly: false });
        const joined = { terminal: terminals.get(id), request: readAttachStream(parseJson(query)) };
        switchProtocols(socket);
        const onActivity = (): void => control.activity();
        serveAttach({ terminals, onActivity }, joined, { socket, head });
        return;
      }
      case `GET /terminals/*/output ${streamUpgrade}`: {
        this.#grant(request, { action: "terminal", forReadOnly: true });
        const wanted = readOutputRequest(parseJson(query));
        const terminal = terminals.get(id);
        switchProtocols(socket);
        serveOutput(terminal, wanted, socket);
        return;
      }
      case `GET /exec ${streamUpgrade}`:
        this.#exec(upgrade, query, this.#grant(request, { action: "exec", forReadOnly: false }));
        return;
      case `GET /direct ${streamUpgrade}`:
        this.#direct(upgrade, query, this.#grant(request, { action: "exec", forReadOnly: false }));
        return;
      case `GET /dial ${streamUpgrade}`:
        this.#grant(request, { action: "dial", forReadOnly: false });
        await this.#dial(upgrade, query);
        return;
      case `GET /control ${streamUpgrade}`:
        this.#grant(request, { action: "control", forReadOnly: false });
        switchProtocols(socket);
        control.attach(socket, head);
        return;
      case `GET /listen ${streamUpgrade}`: {
        this.#grant(request, { action: "listen", forReadOnly: false });
        const listener = await listeners.listen(readListenRequest(parseJson(query)));
        switchProtocols(socket);
        listener.tell(socket);
        return;
      }
      case `GET /accept ${streamUpgrade}`:
        this.#grant(request, { action: "listen", forReadOnly: false });
        join(upgrade, listeners.take(readAcceptRequest(parseJson(query)).id));
        return;
      default:
        throw noSuchPath();
    }
  }

  #exec({ socket, head }: Upgrade, query: string, { actor }: GrantClaims): void {
    const request = readExecRequest(parseJson(query));
    const leave = this.#enterExec();
    socket.on("close", leave);
    switchProtocols(socket);
    const onActivity = (): void => this.#active(actor);
    serveExec({ ...this.#parts, onActivity }, request, { socket, head });
  }

  #direct({ socket, head }: Upgrade, query: string, { actor }: GrantClaims): void {
    const { argv, env, cwd } = readExecRequest(parseJson(query));
    // The program reads from the connection on, and would miss what was read of it before.
    if (head.length > 0) throw badInput("bytes came before the answer");
    const { environment, processes } = this.#parts;
    const program = environment.program({ argv, env, cwd, term: null });
    const onEnd = this.#enterExec();
    this.#active(actor);
    switchProtocols(socket);
    runDirect(program, { socket, processes, onEnd });
  }

  /** @throws Refusal where there are too many; gives a function to be called at its end. */
  #enterExec(): () => void {
    if (this.#execStreams >= maxExecStreams) {
      throw new Refusal(503, "conflict", `There are ${maxExecStreams} commands running.`);
    }
    this.#execStreams += 1;
    return () => {
      this.#execStreams -= 1;
    };
  }

  /** Somebody works here; the control plane's own commands are nobody's work. */
  #active(actor: string): void {
    if (actor !== controlPlaneActor) this.#parts.control.activity();
  }

  async #dial(upgrade: Upgrade, query: string): Promise<void> {
    const { socket } = upgrade;
    const request = readDialRequest(parseJson(query));
    const left = new AbortController();
    const leave = (): void => left.abort();
    socket.on("close", leave);
    const target = await dial(request, { home: this.#parts.home, signal: left.signal });
    socket.off("close", leave);
    join(upgrade, target, request.window);
  }

  #setUp(text: string): void {
    applySetup(readSetup(parseJson(text)), this.#parts);
    // A later one finds them running.
    this.#parts.tasks.start();
  }

  #createTerminal(text: string): unknown {
    const { command, cwd, env, title, cols, rows } = readCreateTerminal(parseJson(text));
    const { environment, terminals } = this.#parts;
    const program = environment.program({ argv: command, cwd, env, term: "xterm-256color" });
    const shown = title ?? (command?.join(" ") ?? program.argv0).slice(0, 100);
    return terminals.start(program, { title: shown, task: null, cols, rows }).info();
  }

  #grant(request: IncomingMessage, need: GrantNeed & { action: GrantAction }): GrantClaims {
    return this.#parts.grants.use(request.headers.authorization, need);
  }

  /** A path with `*` for a terminal's id. */
  #route(request: IncomingMessage): { path: string; id: string; query: string } {
    if (request.headers.host !== ownHost) {
      throw new Refusal(421, "forbidden", "This is not a web site.");
    }
    const url = new URL(request.url ?? "/", "http://supervisor");
    const query = url.searchParams.get("q") ?? "{}";
    const match = /^(\/terminals\/)([\w-]+)(\/socket|\/stream|\/output)?$/.exec(url.pathname);
    if (match === null) return { path: url.pathname, id: "", query };
    return { path: `/terminals/*${match[3] ?? ""}`, id: match[2] ?? "", query };
  }

  #refusal(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (error instanceof CannotStart) return badInput(error.message);
    this.#parts.log(`request failed: ${error instanceof Error ? error.stack : String(error)}`);
    return new Refusal(500, "internal", "The supervisor failed.");
  }
}

function join({ socket, head }: Upgrade, target: Socket, windowBytes?: number): void {
  if (socket.destroyed) {
    target.destroy();
    return;
  }
  if (windowBytes !== undefined) {
    switchProtocols(socket, windowUpgrade);
    spliceWithin(windowBytes, { outer: socket, head, inner: target });
    return;
  }
  switchProtocols(socket);
  if (head.length > 0) target.write(head);
  splice(socket, target);
}

function noSuchPath(): Refusal {
  return new Refusal(404, "not-found", "There is no such path.");
}

function respond(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(answer));
}

function switchProtocols(socket: Socket, protocol = streamUpgrade): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
  );
}

function refuseUpgrade(socket: Socket, { status, code, message }: Refusal): void {
  const text = JSON.stringify({ code, message });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  // Whatever comes is not read, so that it cannot keep the connection.
  socket.resume();
}

/** @throws Refusal 413 for a body that is too long. */
async function body(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Refusal(413, "bad-input", "The request is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
