import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import {
  streamUpgrade,
  supervisorProtocol,
  type GrantAction,
  type GrantClaims,
  type Hello,
  type SupervisorConfig,
} from "../../server/protocol/supervisor.ts";
import { dial, splice } from "./dial.ts";
import { CannotStart, Environment } from "./environment.ts";
import { serveExec } from "./exec.ts";
import { Grants, type GrantNeed, type Now } from "./grants.ts";
import {
  parseJson,
  readAttachTerminal,
  readCreateTerminal,
  readDialRequest,
  readExecRequest,
} from "./guards.ts";
import { randomId } from "./ids.ts";
import { killSchedule, Processes, type KillSchedule } from "./processes.ts";
import { badInput, Refusal } from "./refusal.ts";
import { Tasks } from "./tasks.ts";
import { serveTerminalSocket, type Upgrade } from "./terminal-socket.ts";
import { Terminals } from "./terminals.ts";

/** The product's version; the bundler puts it in. */
declare const oneloopVersion: string | undefined;
const version = typeof oneloopVersion === "undefined" ? "development" : oneloopVersion;

/**
 * The only `Host` that is answered. A browser that a page sends here (DNS rebinding) names another.
 */
const ownHost = "supervisor";

/** A command line travels in the URL; Linux takes at most 128 KiB for one argument. */
const maxHeaderBytes = 256 * 1024;
const maxBodyBytes = 64 * 1024;

/** Beyond any use that people make of one workspace; they bound what a runaway client can take. */
const maxExecStreams = 512;
const maxConnections = 4096;

/** A client on the same machine sends its head at once. */
const headersTimeoutMs = 10_000;

/** Two chunks of a busy terminal or pipe: below one, each write would wait for the one before. */
const streamHighWaterMarkBytes = 128 * 1024;

/** So that the connection of a machine that vanished ends some day. */
const keepAliveMs = 30_000;

export interface SupervisorOptions {
  readonly config: SupervisorConfig;
  /** 0: any free one. */
  readonly port: number;
  readonly log: (line: string) => void;
  readonly now?: Now;
  readonly schedule?: KillSchedule;
}

export interface Supervisor extends AsyncDisposable {
  readonly port: number;
  readonly boot: string;
  /** Starts the plan's tasks; resolves when all have ended. */
  readonly runTasks: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Listens on all addresses of both families; ending it ends all that it started. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { config, log } = options;
  const boot = randomId();
  const environment = new Environment(config);
  const processes = new Processes(options.schedule ?? killSchedule);
  const terminals = new Terminals(processes);
  const tasks = new Tasks(config, { environment, processes, terminals, log });
  const grants = new Grants(config.publicKey, {
    workspace: config.workspace,
    boot,
    now: options.now ?? Date.now,
  });
  const hello: Hello = { protocol: supervisorProtocol, workspace: config.workspace, boot, version };
  const door = new Door({ hello, grants, environment, processes, terminals, tasks, log });
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: headersTimeoutMs,
    noDelay: true,
    highWaterMark: streamHighWaterMarkBytes,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  });
  server.maxConnections = maxConnections;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // An upgraded socket is no longer the server's: without a listener its error would be uncaught.
    socket.on("error", () => socket.destroy());
  });
  server.on("request", (request, response) => void door.request(request, response));
  server.on(
    "upgrade",
    (request: IncomingMessage, socket: Socket, head: Buffer) =>
      void door.upgrade({ request, socket, head }),
  );
  const port = await listen(server, options.port);
  return {
    port,
    boot,
    runTasks: () => tasks.run(),
    [Symbol.asyncDispose]: async () => {
      server.close();
      await processes.endAll();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Without a host: "::" is both families, and Node falls back where the kernel has no IPv6. */
function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

interface DoorParts {
  readonly hello: Hello;
  readonly grants: Grants;
  readonly environment: Environment;
  readonly processes: Processes;
  readonly terminals: Terminals;
  readonly tasks: Tasks;
  readonly log: (line: string) => void;
}

/** Lets requests in and leads them where they belong. */
class Door {
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
        return this.#createTerminal(await body(request));
      case "DELETE /terminals/*":
        this.#grant(request, { action: "terminal", forReadOnly: false });
        terminals.remove(terminals.get(id));
        return null;
      case "GET /tasks":
        this.#grant(request, { action: "state", forReadOnly: true });
        return tasks.list();
      default:
        throw noSuchPath();
    }
  }

  async #join(upgrade: Upgrade): Promise<void> {
    const { terminals } = this.#parts;
    const { request } = upgrade;
    const { path, id, query } = this.#route(request);
    const protocol = (request.headers.upgrade ?? "").toLowerCase();
    switch (`${request.method} ${path} ${protocol}`) {
      case "GET /terminals/*/socket websocket": {
        const { readOnly } = this.#grant(request, { action: "terminal", forReadOnly: true });
        const { from } = readAttachTerminal(parseJson(query));
        await serveTerminalSocket(terminals.get(id), upgrade, { from, readOnly });
        return;
      }
      case `GET /exec ${streamUpgrade}`:
        this.#grant(request, { action: "exec", forReadOnly: false });
        this.#exec(upgrade, query);
        return;
      case `GET /dial ${streamUpgrade}`:
        this.#grant(request, { action: "dial", forReadOnly: false });
        await joinDial(upgrade, query);
        return;
      default:
        throw noSuchPath();
    }
  }

  #exec({ socket, head }: Upgrade, query: string): void {
    const request = readExecRequest(parseJson(query));
    if (this.#execStreams >= maxExecStreams) {
      throw new Refusal(503, "conflict", `There are ${maxExecStreams} commands running.`);
    }
    this.#execStreams += 1;
    socket.on("close", () => {
      this.#execStreams -= 1;
    });
    switchProtocols(socket);
    serveExec(this.#parts, request, { socket, head });
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
    const match = /^(\/terminals\/)([\w-]+)(\/socket)?$/.exec(url.pathname);
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

async function joinDial({ socket, head }: Upgrade, query: string): Promise<void> {
  const request = readDialRequest(parseJson(query));
  const left = new AbortController();
  const leave = (): void => left.abort();
  socket.on("close", leave);
  const target = await dial(request, left.signal);
  socket.off("close", leave);
  if (socket.destroyed) {
    target.destroy();
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

function switchProtocols(socket: Socket): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${streamUpgrade}\r\n\r\n`,
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
async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new Refusal(413, "bad-input", "The request is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
