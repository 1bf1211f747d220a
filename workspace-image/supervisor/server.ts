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
import { FolderWatches } from "./folder-watches.ts";
import { Grants, type Now } from "./grants.ts";
import { Idle } from "./idle.ts";
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
  /** The first that is free is taken; 0: any. */
  readonly ports: readonly number[];
  readonly log: LogLine;
  /** A folder that only this user can enter; null, or absent: no socket and no git configuration. */
  readonly runFolder?: string | null;
  readonly now?: Now;
  readonly schedule?: KillSchedule;
  readonly pollMs?: number;
  readonly askTimeoutMs?: number;
  readonly acceptTimeoutMs?: number;
  /** When there was no connection and no program for so long. */
  readonly idle?: { readonly ms: number; readonly onIdle: () => void };
}

export interface Supervisor extends AsyncDisposable {
  readonly port: number;
  readonly boot: string;
  /** Resolves when all tasks that the first setup started have ended. */
  readonly tasksEnded: Promise<void>;
  /** Somebody is about to use it. */
  touch(): void;
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
  let port = 0;
  const watch = new Watch({ ...options, ownPort: () => port });
  const folders = new FolderWatches();
  const control = new Control({ watch, folders, now, askTimeoutMs: options.askTimeoutMs });
  const onChange = control.task.bind(control);
  const tasks = new Tasks(config, { environment, processes, terminals, log, onChange });
  const hello: Hello = { protocol: supervisorProtocol, workspace: config.workspace, boot, version };
  const grants = new Grants(config.publicKey, { workspace: config.workspace, boot, now });
  const runFolder = options.runFolder ?? null;
  const { home } = config;
  const { acceptTimeoutMs } = options;
  const listeners = new Listeners({ runFolder, home, acceptTimeoutMs });
  const parts = { hello, grants, environment, processes, terminals, tasks, control, listeners };
  const door = new Door({ ...parts, runFolder, home, log });
  // The control plane holds no control stream of a supervisor that entered: nobody would answer.
  const asks =
    runFolder === null || config.entered !== undefined
      ? null
      : await serveAsks(runFolder, { control, environment, log });
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
  let idle: Idle | null = null;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      idle?.touch();
    });
    // An upgraded socket is no longer the server's: without a listener its error would be uncaught.
    socket.on("error", () => socket.destroy());
  });
  server.on("request", (request, response) => void door.request(request, response));
  server.on(
    "upgrade",
    (request: IncomingMessage, socket: Socket, head: Buffer) =>
      void door.upgrade({ request, socket, head }),
  );
  port = await listen(server, options.ports);
  if (options.idle !== undefined) {
    const { ms, onIdle } = options.idle;
    idle = new Idle(ms, { busy: () => sockets.size > 0 || processes.running, onIdle });
  }
  return {
    port,
    boot,
    tasksEnded: tasks.ended,
    touch: () => idle?.touch(),
    [Symbol.asyncDispose]: async () => {
      idle?.[Symbol.dispose]();
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

/**
 * On the first of the ports that nobody else has. Without a host: "::" is both families, and Node
 * falls back where the kernel has no IPv6.
 */
async function listen(server: Server, ports: readonly number[]): Promise<number> {
  for (const [index, port] of ports.entries()) {
    try {
      return await listenAt(server, port);
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!taken || index === ports.length - 1) throw error;
    }
  }
  throw new Error("there is no port to listen on");
}

function listenAt(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
