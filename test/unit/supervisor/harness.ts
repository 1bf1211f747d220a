import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { GrantSigner } from "../../../server/auth/grants.ts";
import {
  supervisorPaths,
  TerminalServerMessage,
  type AttachStream,
  type DialInput,
  type ExecRequest,
  type GrantAction,
  type SupervisorConfig,
  type TerminalInfo,
  type WorkspaceSetup,
} from "../../../server/protocol/supervisor.ts";
import { ExecStream } from "../../../server/terminals/exec-stream.ts";
import { readListening, readListeningTcp } from "../../../server/terminals/listening.ts";
import { readResponseHead } from "../../../server/terminals/response-head.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { killSchedule, type KillSchedule } from "../../../workspace-image/supervisor/processes.ts";
import {
  startSupervisor,
  type SupervisorOptions,
} from "../../../workspace-image/supervisor/server.ts";
import { ControlEnd } from "../../helpers/control-end.ts";

export const workspace = "workspace-under-test";

export function signer(secret = "the secret of these tests"): GrantSigner {
  return new GrantSigner(secret, { clock: systemClock, ids: randomIds });
}

export interface Call {
  readonly action?: GrantAction;
  readonly readOnly?: boolean;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** So that a test waits for milliseconds where a person waits for half a second. */
const pollMs = 20;

/** A real supervisor on a free port of the loopback, with a home and a run folder of its own. */
export async function testSupervisor(
  options: {
    readonly config?: Partial<SupervisorConfig>;
    readonly home?: string;
    readonly schedule?: Partial<KillSchedule>;
  } & Pick<
    SupervisorOptions,
    "runFolder" | "now" | "askTimeoutMs" | "acceptTimeoutMs" | "idle"
  > = {},
) {
  const { config, home: givenHome, schedule, ...more } = options;
  const home = givenHome ?? (await mkdtemp(join(tmpdir(), "oneloop-supervisor-")));
  const ownRun = await mkdtemp(join(tmpdir(), "oneloop-run-"));
  const log: string[] = [];
  const supervisor = await startSupervisor({
    config: {
      workspace,
      publicKey: signer().publicKey,
      cwd: home,
      home,
      shell: null,
      tasks: [],
      imageCommand: [],
      ...config,
      env: { SHELL: "/bin/sh", ...config?.env },
    },
    ports: [0],
    log: (line) => log.push(line),
    pollMs,
    runFolder: ownRun,
    schedule: { ...killSchedule, ...schedule },
    ...more,
  });
  const { port, boot } = supervisor;

  const grant = (action: GrantAction, readOnly = false, actor = "tester"): string =>
    signer().sign({ workspace, boot, actor, action, readOnly });

  const http = (
    method: string,
    path: string,
    { action = "terminal", readOnly = false, body, headers = {} }: Call = {},
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          agent: false,
          headers: { host: "supervisor", authorization: grant(action, readOnly), ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          );
        },
      );
      request.on("error", reject);
      request.end(body);
    });

  const json = async <Answer>(method: string, path: string, call: Call = {}): Promise<Answer> => {
    const { status, body } = await http(method, path, call);
    if (status >= 300) throw new Error(`${status} ${body}`);
    return (body === "" ? null : JSON.parse(body)) as Answer;
  };

  const upgrade = async (
    path: string,
    authorization: string,
    { host = "supervisor", body = "" }: { host?: string; body?: Buffer | string } = {},
  ) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    socket.on("error", () => socket.destroy());
    const request =
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\n` +
      `Upgrade: oneloop-stream\r\nAuthorization: ${authorization}\r\n\r\n`;
    socket.write(Buffer.concat([Buffer.from(request), Buffer.from(body)]));
    const { status, head, rest } = await readResponseHead(socket, 10_000);
    return { status, head, rest, socket };
  };

  const exec = async (request: Partial<ExecRequest>, actor?: string): Promise<ExecStream> => {
    const path = `${supervisorPaths.exec}?q=${encodeURIComponent(JSON.stringify(request))}`;
    const { status, rest, socket } = await upgrade(path, grant("exec", false, actor));
    if (status !== 101) throw new Error(`${status} ${rest.toString()}`);
    return new ExecStream(socket, rest);
  };

  return {
    ...supervisor,
    home,
    runFolder: ownRun,
    socket: join(ownRun, "oneloop.sock"),
    log,
    grant,
    http,
    json,
    upgrade,
    execSocket: async (request: Partial<ExecRequest>): Promise<Socket> => {
      const path = `${supervisorPaths.exec}?q=${encodeURIComponent(JSON.stringify(request))}`;
      const { status, rest, socket } = await upgrade(path, grant("exec"));
      if (status !== 101) throw new Error(`${status} ${rest.toString()}`);
      if (rest.length > 0) socket.unshift(rest);
      return socket;
    },
    exec,
    attachStream: async (id: string, request: AttachStream, readOnly = false) => {
      const query = encodeURIComponent(JSON.stringify(request));
      const path = `${supervisorPaths.terminalStream(id)}?q=${query}`;
      const { status, rest, socket } = await upgrade(path, grant("terminal", readOnly));
      if (status !== 101) throw new Error(`${status} ${rest.toString()}`);
      return new ExecStream(socket, rest);
    },
    /** `body`: what follows the request at once. */
    dial: async (request: Partial<DialInput>, body: Buffer | string = "") => {
      const path = `${supervisorPaths.dial}?q=${encodeURIComponent(JSON.stringify(request))}`;
      return upgrade(path, grant("dial"), { body });
    },
    /** A listen stream, read up to the path that it tells. */
    listen: async () => {
      const { status, rest, socket } = await upgrade(supervisorPaths.listen, grant("listen"));
      if (status !== 101) throw new Error(`${status} ${rest.toString()}`);
      const listening = await readListening({ socket, rest }, 10_000);
      return { ...listening, socket, next: nextOf(listening.connections) };
    },
    /** The same at a port. */
    listenTcp: async (port: number) => {
      const q = encodeURIComponent(JSON.stringify({ kind: "tcp", port }));
      const path = `${supervisorPaths.listen}?q=${q}`;
      const { status, rest, socket } = await upgrade(path, grant("listen"));
      if (status !== 101) throw new Error(`${status} ${rest.toString()}`);
      const listening = await readListeningTcp({ socket, rest }, 10_000);
      return { ...listening, socket, next: nextOf(listening.connections) };
    },
    accept: (id: string) =>
      upgrade(
        `${supervisorPaths.accept}?q=${encodeURIComponent(JSON.stringify({ id }))}`,
        grant("listen"),
      ),
    setup: (setup: Partial<WorkspaceSetup> = {}) =>
      json<null>("POST", supervisorPaths.setup, {
        action: "setup",
        body: JSON.stringify({ env: {}, git: null, ...setup }),
      }),
    /** The control stream; the test is the control plane. */
    control: async (): Promise<ControlEnd> => {
      const { status, rest, socket } = await upgrade(supervisorPaths.control, grant("control"));
      if (status !== 101) throw new Error(`${status} ${rest.toString()}`);
      return new ControlEnd(socket, rest);
    },
    /** Runs a line in `sh`, and gives what it printed. */
    sh: async (script: string): Promise<string> => {
      const { stdout } = await (await exec({ argv: ["sh", "-c", script] })).collect();
      return stdout.toString();
    },
    createTerminal: (command: readonly string[] | null, more: object = {}) =>
      json<TerminalInfo>("POST", supervisorPaths.terminals, {
        body: JSON.stringify({ command, ...more }),
      }),
    terminals: () => json<TerminalInfo[]>("GET", supervisorPaths.terminals),
    attach: (id: string, from = 0, readOnly = false) =>
      TerminalClient.open({
        url: `ws://127.0.0.1:${port}${supervisorPaths.terminalSocket(id)}?q=${encodeURIComponent(JSON.stringify({ from }))}`,
        authorization: grant("terminal", readOnly),
      }),
    [Symbol.asyncDispose]: async () => {
      await supervisor[Symbol.asyncDispose]();
      await rm(ownRun, { recursive: true, force: true });
      if (givenHome === undefined) await rm(home, { recursive: true, force: true });
    },
  };
}

/** The next one of a sequence, each time. */
function nextOf(values: AsyncIterable<string>): () => Promise<string> {
  const iterator = values[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await iterator.next();
    if (done === true) throw new Error("there is no more");
    return value;
  };
}

type Hello = Extract<TerminalServerMessage, { type: "hello" }>;
type Exit = Extract<TerminalServerMessage, { type: "exit" }>;

/** A client of a terminal that keeps what it was told, and waits for events. */
export class TerminalClient implements Disposable {
  readonly socket: WebSocket;
  readonly messages: TerminalServerMessage[] = [];
  readonly chunks: Buffer[] = [];
  length = 0;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data, isBinary) => {
      if (isBinary) {
        this.chunks.push(data as Buffer);
        this.length += (data as Buffer).length;
      } else
        this.messages.push(TerminalServerMessage.parse(JSON.parse((data as Buffer).toString())));
      for (const look of this.#waiting) look();
    });
    socket.on("close", () => {
      for (const look of this.#waiting) look();
    });
  }

  static async open(to: { url: string; authorization: string }): Promise<TerminalClient> {
    const socket = new WebSocket(to.url, {
      headers: { authorization: to.authorization, host: "supervisor" },
      perMessageDeflate: false,
    });
    const client = new TerminalClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("unexpected-response", (_, response) =>
        reject(new Error(`refused: ${response.statusCode}`)),
      );
    });
    await client.until(() => client.messages.length > 0);
    return client;
  }

  get hello(): Hello {
    return this.messages[0] as Hello;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Looks again at each message. */
  until(seen: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!seen()) return;
        this.#waiting = this.#waiting.filter((each) => each !== look);
        resolve();
      };
      this.#waiting.push(look);
      look();
    });
  }

  async untilText(text: string): Promise<void> {
    if (this.bytes.includes(text)) return;
    // From now on only the newest bytes, with what a text that began before needs.
    let seen = Math.max(0, this.chunks.length - 1);
    let tail = Buffer.alloc(0);
    await this.until(() => {
      const fresh = Buffer.concat([tail, ...this.chunks.slice(seen)]);
      seen = this.chunks.length;
      tail = fresh.subarray(-text.length);
      return fresh.includes(text);
    });
  }

  async exit(): Promise<Exit> {
    const found = (): Exit | undefined =>
      this.messages.find((message): message is Exit => message.type === "exit");
    await this.until(() => found() !== undefined);
    return found() as Exit;
  }

  resizes(): { cols: number; rows: number }[] {
    return this.messages.flatMap((message) =>
      message.type === "resize" ? [{ cols: message.cols, rows: message.rows }] : [],
    );
  }

  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.readyState === WebSocket.CLOSED) resolve();
      else this.socket.once("close", () => resolve());
    });
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text), { binary: true });
  }

  resize(cols: number, rows: number): void {
    this.socket.send(JSON.stringify({ type: "resize", cols, rows }));
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}
