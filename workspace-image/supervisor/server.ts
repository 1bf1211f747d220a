import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import {
  supervisorProtocol,
  type Hello,
  type SupervisorConfig,
} from "../../server/protocol/supervisor.ts";
import { listenForAsks } from "./ask-socket.ts";
import { Control } from "./control.ts";
import { Door } from "./door.ts";
import { Environment } from "./environment.ts";
import { Grants, type Now } from "./grants.ts";
import { randomId } from "./ids.ts";
import { Listeners } from "./listeners.ts";
import { killSchedule, Processes, type KillSchedule } from "./processes.ts";
import { Tasks } from "./tasks.ts";
import { Terminals } from "./terminals.ts";
import { Watch } from "./watch.ts";

/** The product's version; the bundler puts it in. */
declare const oneloopVersion: string | undefined;
const version = typeof oneloopVersion === "undefined" ? "development" : oneloopVersion;

/** A command line travels in the URL; Linux takes at most 128 KiB for one argument. */
const maxHeaderBytes = 256 * 1024;

/** Beyond any use that people make of one workspace; it bounds what a runaway client can take. */
const maxConnections = 4096;

/** A client on the same machine sends its head at once. */
const headersTimeoutMs = 10_000;

/** Two chunks of a busy terminal or pipe: below one, each write would wait for the one before. */
const streamHighWaterMarkBytes = 128 * 1024;

/** So that the connection of a machine that vanished ends some day. */
const keepAliveMs = 30_000;

type LogLine = (line: string) => void;

export interface SupervisorOptions {
  readonly config: SupervisorConfig;
  /** 0: any free one. */
  readonly port: number;
  readonly log: LogLine;
  /** A folder that only this user can enter; null, or absent: no socket and no git configuration. */
  readonly runFolder?: string | null;
  readonly now?: Now;
  readonly schedule?: KillSchedule;
  readonly pollMs?: number;
  readonly askTimeoutMs?: number;
  readonly acceptTimeoutMs?: number;
}

export interface Supervisor extends AsyncDisposable {
  readonly port: number;
  readonly boot: string;
  /** Resolves when all tasks that the first setup started have ended. */
  readonly tasksEnded: Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Listens on all addresses of both families; ending it ends all that it started. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { config, log } = options;
  const boot = randomId();
  const environment = new Environment(config);
  const processes = new Processes(options.schedule ?? killSchedule);
  const terminals = new Terminals(processes);
  const now = options.now ?? Date.now;
  let port = options.port;
  const watch = new Watch({ ...options, ownPort: () => port });
  const control = new Control({ watch, now, askTimeoutMs: options.askTimeoutMs });
  const onEnded = control.task.bind(control);
  const tasks = new Tasks(config, { environment, processes, terminals, log, onEnded });
  const hello: Hello = { protocol: supervisorProtocol, workspace: config.workspace, boot, version };
  const grants = new Grants(config.publicKey, { workspace: config.workspace, boot, now });
  const runFolder = options.runFolder ?? null;
  const listeners = new Listeners({ runFolder, acceptTimeoutMs: options.acceptTimeoutMs });
  const parts = { hello, grants, environment, processes, terminals, tasks, control, listeners };
  const door = new Door({ ...parts, runFolder, log });
  const asks =
    runFolder === null ? null : await serveAsks(runFolder, { control, environment, log });
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
  port = await listen(server, options.port);
  return {
    port,
    boot,
    tasksEnded: tasks.ended,
    [Symbol.asyncDispose]: async () => {
      server.close();
      // While all still works: a program that a task of `stop` asks to end may have to save.
      await tasks.stop();
      await processes.endAll();
      control[Symbol.dispose]();
      listeners[Symbol.dispose]();
      await asks?.[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Without it programs inside cannot ask, and all else works. */
async function serveAsks(
  runFolder: string,
  { control, environment, log }: { control: Control; environment: Environment; log: LogLine },
): Promise<AsyncDisposable | null> {
  const path = join(runFolder, "oneloop.sock");
  try {
    const asks = await listenForAsks(path, control);
    environment.setSocket(path);
    return asks;
  } catch (error) {
    log(`programs cannot ask at ${path}: ${String(error)}`);
    return null;
  }
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
