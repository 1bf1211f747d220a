import { constants } from "node:os";
import type { ServerChannel, Session } from "ssh2";
import { toOneloopError } from "../protocol/errors.ts";
import type { ExecExit } from "../protocol/frames.ts";
import type { ExecRequest } from "../protocol/supervisor.ts";
import type { ExecStream } from "../terminals/exec-stream.ts";
import type { AgentForwarding } from "./agent.ts";
import type { ChannelWriter } from "./connection-flow.ts";
import type { Door } from "./door.ts";

/** What OpenSSH and editors send by default, and what programs use to show text; nothing else. */
const allowedEnv = /^(LANG|LC_[A-Z]+|TERM|COLORTERM|GIT_[A-Z0-9_]+|VSCODE_[A-Z0-9_]+)$/;
/** The environment travels in the head of a request: it has to be small. */
const maxEnvBytes = 4096;

const terminalName = /^[A-Za-z0-9._+-]{1,64}$/;

/** The exit status for failures of Oneloop's own, as OpenSSH's client uses it for its own. */
const failureStatus = 255;

/** Signals that have a name in RFC 4254 section 6.10; others become a status, as a shell shows it. */
const namedSignals: ReadonlySet<string> = new Set(
  "ABRT ALRM FPE HUP INT KILL PIPE QUIT SEGV TERM USR1 USR2".split(" "),
);

interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** Serves one `session` channel: requests for a pty and variables, then one program. */
export function serveSession(session: Session, door: Door, agent: AgentForwarding): void {
  let env: Record<string, string> = {};
  let envBytes = 0;
  let term: string | null = null;
  let size: Size = { cols: 80, rows: 24 };
  let program: Program | null = null;
  let agentSocket: Promise<string | null> | null = null;
  // Asked for now, while the client still sends what it wants to run.
  const target = door.target();
  target.catch(() => undefined);

  const run = (channel: ServerChannel, what: Partial<ExecRequest>): void => {
    program = new Program(channel, door, term !== null);
    const request = {
      ...what,
      env: { ...env, ...sshVariables(door) },
      pty: term === null ? null : { term, ...size },
    };
    void program.start(async () => {
      const socket = await agentSocket;
      const agentVariable = socket === null ? {} : { SSH_AUTH_SOCK: socket };
      const withAgent = { ...request, env: { ...request.env, ...agentVariable } };
      const stream = await door.supervisors.exec(await target, withAgent);
      if (size.cols !== request.pty?.cols || size.rows !== request.pty.rows) stream.resize(size);
      return stream;
    });
  };

  // ssh2 gives no `accept` and `reject` where the client wants no reply.
  session.on("pty", (accept: (() => boolean) | undefined, _reject, info) => {
    term = terminalName.test(info.term) ? info.term : "xterm";
    size = clamp(info);
    accept?.();
  });
  session.on("window-change", (accept: (() => boolean) | undefined, _reject, info) => {
    size = clamp(info);
    program?.resize(size);
    accept?.();
  });
  session.on(
    "env",
    (accept: (() => boolean) | undefined, reject: (() => boolean) | undefined, info) => {
      const bytes = Buffer.byteLength(info.key) + Buffer.byteLength(info.val);
      if (!allowedEnv.test(info.key) || info.val.includes("\0") || envBytes + bytes > maxEnvBytes) {
        reject?.();
        return;
      }
      envBytes += bytes;
      env = { ...env, [info.key]: info.val };
      accept?.();
    },
  );
  session.on("auth-agent", (accept: (() => boolean) | undefined) => {
    // At once: the replies to a client's requests have the requests' order.
    accept?.();
    agentSocket ??= agent.socket();
  });
  session.on("signal", (accept: (() => boolean) | undefined, _reject, info) => {
    program?.signal(info.name);
    accept?.();
  });
  session.on("shell", (accept) => run(accept(), {}));
  session.on("exec", (accept, _reject, info) => run(accept(), { shell: info.command }));
  session.on("subsystem", (accept, reject, info) => {
    if (info.name === "sftp") run(accept(), { argv: [...door.sftpServer] });
    else reject();
  });
  session.on("close", () => program?.hangup());
}

/** One program of a channel: joins its exec stream with the channel until both have ended. */
class Program {
  readonly #channel: ServerChannel;
  readonly #door: Door;
  readonly #newline: string;
  readonly #writer: ChannelWriter;
  #forget: () => void = () => undefined;
  #stream: ExecStream | null = null;
  #ended = false;

  constructor(channel: ServerChannel, door: Door, pty: boolean) {
    this.#channel = channel;
    this.#door = door;
    this.#newline = pty ? "\r\n" : "\n";
    this.#writer = door.flow.writer(channel, () => this.#stream?.resume());
    this.#forget = door.whenClosed((by) => {
      if (by === "client") this.hangup();
      else this.detach();
    });
    channel.on("error", () => this.hangup());
    channel.on("close", () => this.hangup());
  }

  async start(open: () => Promise<ExecStream>): Promise<void> {
    try {
      this.#join(await open());
    } catch (error) {
      const { code, message } = toOneloopError(error);
      this.#door.log.debug({ err: error, code }, "an SSH session could not start");
      this.#finish({ code: failureStatus, signal: null, error: message });
    }
  }

  resize(size: Size): void {
    this.#stream?.resize(size);
  }

  signal(name: string): void {
    this.#stream?.signal(name);
  }

  /** The client is gone, or closed the channel: the program is told, and its output is dropped. */
  hangup(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream?.hangup();
    this.#stream?.resume();
    this.#release();
  }

  /** The gateway ends: a program on a pty goes on as a terminal. */
  detach(): void {
    this.#ended = true;
    this.#stream?.[Symbol.dispose]();
    this.#release();
  }

  #join(stream: ExecStream): void {
    const channel = this.#channel;
    this.#stream = stream;
    stream.onDrain(() => channel.resume());
    stream.listen({
      onStdout: (piece) => this.#output("stdout", piece),
      onStderr: (piece) => this.#output("stderr", piece),
      onExit: (exit) => this.#finish(exit),
    });
    if (this.#ended) {
      stream.hangup();
      return;
    }
    channel.on("end", () => stream.endInput());
    channel.on("data", (chunk: Buffer) => {
      if (!this.#ended && !stream.write(chunk)) channel.pause();
    });
  }

  #output(to: "stdout" | "stderr", piece: Uint8Array): void {
    if (!this.#ended && !this.#writer.write(to, piece)) this.#stream?.pause();
  }

  #finish(exit: ExecExit): void {
    if (this.#ended) return;
    const { error } = exit;
    if (error !== null) {
      // It may repeat the login name, or what a program said: nothing that a terminal obeys.
      const shown = error.replaceAll(/\p{C}/gu, "?");
      this.#writer.write("stderr", Buffer.from(`oneloop: ${shown}${this.#newline}`));
    }
    this.#writer.whenEmpty(() => {
      if (this.#ended) return;
      this.#ended = true;
      if (exit.signal !== null && namedSignals.has(exit.signal)) this.#channel.exit(exit.signal);
      else this.#channel.exit(statusOf(exit));
      this.#release();
      this.#channel.end();
      // Input that nobody reads any more.
      this.#channel.resume();
    });
  }

  #release(): void {
    this.#forget();
    this.#writer[Symbol.dispose]();
  }
}

function statusOf({ code, signal }: ExecExit): number {
  if (code !== null) return code;
  const number = Object.entries(constants.signals).find(([name]) => name === `SIG${signal}`)?.[1];
  return number === undefined ? failureStatus : 128 + number;
}

function sshVariables({ sshConnection }: Door): Record<string, string> {
  const [clientHost, clientPort, , port] = sshConnection.split(" ");
  return { SSH_CONNECTION: sshConnection, SSH_CLIENT: `${clientHost} ${clientPort} ${port}` };
}

/** A client may say anything, also 0 (RFC 4254 section 6.2: then pixels count, which we ignore). */
function clamp({ cols, rows }: Size): Size {
  return {
    cols: cols < 1 ? 80 : Math.min(cols, 2000),
    rows: rows < 1 ? 24 : Math.min(rows, 1000),
  };
}
