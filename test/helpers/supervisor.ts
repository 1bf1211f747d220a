import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import type Dockerode from "dockerode";
import { WebSocket } from "ws";
import {
  encodeFrame,
  type ExecExit,
  FrameDecoder,
  FrameType,
} from "../../server/protocol/frames.ts";
import {
  CreateTerminal,
  ExecRequest,
  type GrantAction,
  grantLifetimeMs,
  grantScheme,
  Hello,
  ReadyLine,
  streamUpgrade,
  type SupervisorConfig,
  supervisorConfigVariable,
  supervisorMount,
  supervisorPaths,
  supervisorPort,
  TerminalInfo,
  type WorkspaceSetup,
} from "../../server/protocol/supervisor.ts";
import { type RunningContainer, startContainer } from "./container.ts";
import { ControlEnd } from "./control-end.ts";

export interface SupervisorTestOptions {
  readonly docker: Dockerode;
  readonly image: string;
  readonly volume: string;
  readonly installation: string;
  readonly user: { readonly uid: number; readonly gid: number };
  /** The environment that the image would give to what runs in it. */
  readonly env: Readonly<Record<string, string>>;
  readonly memoryBytes?: number;
}

export interface ExecOutcome {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exit: ExecExit;
}

/** A supervisor in a container without a network to join, as locked in as a container can be. */
export class SupervisorUnderTest implements AsyncDisposable {
  readonly running: RunningContainer;
  readonly boot: string;
  readonly #workspace: string;
  readonly #privateKey: ReturnType<typeof generateKeyPairSync>["privateKey"];

  private constructor(
    running: RunningContainer,
    options: {
      workspace: string;
      privateKey: ReturnType<typeof generateKeyPairSync>["privateKey"];
    },
  ) {
    this.running = running;
    this.boot = ReadyLine.parse(JSON.parse(running.firstLine)).boot ?? "";
    this.#workspace = options.workspace;
    this.#privateKey = options.privateKey;
  }

  /** Resolves when it has said that it listens. */
  static async start(options: SupervisorTestOptions): Promise<SupervisorUnderTest> {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const { uid, gid } = options.user;
    const workspace = randomUUID();
    const config: SupervisorConfig = {
      workspace,
      publicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
      cwd: "/",
      home: "/tmp",
      shell: null,
      env: options.env,
      tasks: [],
      imageCommand: [],
    };
    const running = await startContainer(options.docker, {
      Image: options.image,
      Entrypoint: [
        `${supervisorMount}/bin/init`,
        "-g",
        "--",
        `${supervisorMount}/bin/node`,
        `${supervisorMount}/lib/supervisor/supervisor.js`,
      ],
      Cmd: [],
      WorkingDir: "/",
      User: `${uid}:${gid}`,
      Env: [
        "LD_PRELOAD=",
        "NODE_OPTIONS=",
        `${supervisorConfigVariable}=${JSON.stringify(config)}`,
      ],
      Labels: { "oneloop.installation": options.installation },
      HostConfig: {
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        // As in a workspace's sandbox: the loopback has both families.
        Sysctls: { "net.ipv6.conf.lo.disable_ipv6": "0" },
        Mounts: [
          { Type: "volume", Source: options.volume, Target: supervisorMount, ReadOnly: true },
        ],
        Tmpfs: {
          [`${supervisorMount}/run`]: `rw,nosuid,nodev,mode=0711,uid=${uid},gid=${gid}`,
          "/tmp": "rw,exec,mode=1777",
        },
        ...(options.memoryBytes === undefined
          ? {}
          : { Memory: options.memoryBytes, MemorySwap: options.memoryBytes }),
      },
    });
    return new SupervisorUnderTest(running, { workspace, privateKey });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
  }

  /** The process id of the container's init, on the host. */
  get initPid(): number {
    return this.running.inspect.State.Pid;
  }

  async hello(): Promise<Hello> {
    const response = await this.#request("GET", supervisorPaths.hello, {});
    return Hello.parse(JSON.parse(await text(response)));
  }

  async setup(setup: Partial<WorkspaceSetup> = {}): Promise<void> {
    await this.#request("POST", supervisorPaths.setup, {
      action: "setup",
      body: JSON.stringify({ env: {}, git: null, ...setup }),
    });
  }

  /** The control stream; the test is the control plane. */
  async control(): Promise<ControlEnd> {
    const socket = await this.#upgrade(supervisorPaths.control, { action: "control", q: {} });
    return new ControlEnd(socket, Buffer.alloc(0));
  }

  /** What a program that listens in the workspace says, up to its end. */
  async dial(port: number): Promise<string> {
    return text(await this.#upgrade(supervisorPaths.dial, { action: "dial", q: { port } }));
  }

  /** Runs a line in the supervisor's own shell. */
  async sh(script: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const argv = [`${supervisorMount}/bin/sh`, "-c", script];
    const { exit, stdout, stderr } = await this.exec({ argv });
    return { code: exit.code, stdout: stdout.toString(), stderr };
  }

  /** Runs a command to its end; `stdin` is sent, and then its end, unless `until` says when. */
  async exec(
    wanted: Partial<ExecRequest>,
    options: { stdin?: Uint8Array; until?: (stdout: Buffer) => boolean } = {},
  ): Promise<ExecOutcome> {
    const q = ExecRequest.parse(wanted);
    const socket = await this.#upgrade(supervisorPaths.exec, { action: "exec", q });
    const out: Uint8Array[] = [];
    const err: Uint8Array[] = [];
    let exit: ExecExit | null = null;
    const decoder = new FrameDecoder((type, payload) => {
      if (type === FrameType.stdout) {
        out.push(Buffer.from(payload));
        if (options.until?.(Buffer.concat(out)) === true) {
          socket.write(encodeFrame(FrameType.stdinEnd));
        }
      } else if (type === FrameType.stderr) err.push(Buffer.from(payload));
      else if (type === FrameType.exit) {
        exit = JSON.parse(Buffer.from(payload).toString()) as ExecExit;
      }
    });
    socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    if (options.stdin !== undefined) socket.write(encodeFrame(FrameType.stdin, options.stdin));
    if (options.until === undefined) socket.write(encodeFrame(FrameType.stdinEnd));
    await once(socket, "close");
    if (exit === null) throw new Error("the stream closed without an exit frame");
    return { stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString(), exit };
  }

  /** Runs a command in a new terminal, and gives all that it printed there. */
  async terminal(command: readonly string[]): Promise<string> {
    const body = CreateTerminal.parse({ command, cols: 100, rows: 30 });
    const created = await this.#request("POST", supervisorPaths.terminals, {
      action: "terminal",
      body: JSON.stringify(body),
    });
    const { id } = TerminalInfo.parse(JSON.parse(await text(created)));
    const q = encodeURIComponent(JSON.stringify({ from: 0 }));
    const socket = new WebSocket(
      `ws://${this.#host}:${supervisorPort}${supervisorPaths.terminalSocket(id)}?q=${q}`,
      { headers: { host: "supervisor", authorization: this.#grant("terminal") } },
    );
    let printed = "";
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) printed += data.toString();
      else if ((JSON.parse(data.toString()) as { type: string }).type === "exit") socket.close();
    });
    await once(socket, "close");
    return printed;
  }

  get #host(): string {
    return this.running.inspect.NetworkSettings.Networks["bridge"]?.IPAddress ?? "";
  }

  #grant(action: GrantAction): string {
    const claims = {
      workspace: this.#workspace,
      boot: this.boot,
      actor: "test",
      action,
      readOnly: false,
      expiresAt: Date.now() + grantLifetimeMs,
      nonce: randomUUID(),
    };
    const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const signature = sign(null, Buffer.from(payload), this.#privateKey).toString("base64url");
    return `${grantScheme} ${payload}.${signature}`;
  }

  async #request(
    method: string,
    path: string,
    options: { action?: GrantAction; body?: string },
  ): Promise<IncomingMessage> {
    const outgoing = request({
      host: this.#host,
      port: supervisorPort,
      method,
      path,
      agent: false,
      headers: {
        host: "supervisor",
        ...(options.action === undefined ? {} : { authorization: this.#grant(options.action) }),
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
      },
    });
    outgoing.end(options.body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    if ((response.statusCode ?? 0) >= 400) {
      throw new Error(`${method} ${path}: ${response.statusCode} ${await text(response)}`);
    }
    return response;
  }

  async #upgrade(path: string, stream: { action: GrantAction; q: object }): Promise<Socket> {
    const outgoing = request({
      host: this.#host,
      port: supervisorPort,
      path: `${path}?q=${encodeURIComponent(JSON.stringify(stream.q))}`,
      agent: false,
      headers: {
        host: "supervisor",
        authorization: this.#grant(stream.action),
        connection: "Upgrade",
        upgrade: streamUpgrade,
      },
    });
    outgoing.end();
    return new Promise((resolve, reject) => {
      outgoing.on("upgrade", (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      outgoing.on("response", (response) => {
        void text(response).then((body) => reject(new Error(`${response.statusCode} ${body}`)));
      });
      outgoing.on("error", reject);
    });
  }
}
