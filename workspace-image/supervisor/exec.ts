import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import {
  encodeFrame,
  FrameDecoder,
  frameHeader,
  FrameType,
  type ExecExit,
} from "../../server/protocol/frames.ts";
import type { ExecRequest } from "../../server/protocol/supervisor.ts";
import { CannotStart, type Environment, type Program } from "./environment.ts";
import { parseJson, readSize } from "./guards.ts";
import { signalOf, type Processes, type RunningProcess } from "./processes.ts";
import type { Follower, Sink, Terminals } from "./terminals.ts";

/** What a program sees when its terminal's input ends: VEOF of a terminal in its usual mode. */
const endOfInput = Buffer.from([4]);

export interface ExecParts {
  readonly environment: Environment;
  readonly processes: Processes;
  readonly terminals: Terminals;
  /** Somebody works here: a command starts, or gets input. */
  readonly onActivity: () => void;
}

/** What the frames from the control plane do to a program. */
interface Target {
  stdin(piece: Buffer): void;
  stdinEnd(): void;
  signal(name: NodeJS.Signals): void;
  resize(cols: number, rows: number): void;
  hangup(): void;
  /** The connection has room again. */
  drained(): void;
  /** The connection is gone, after a hangup or without one. */
  closed(): void;
}

/** Runs a program at the other end of an upgraded socket; `head` is what came with the upgrade. */
export function serveExec(
  parts: ExecParts,
  request: ExecRequest,
  { socket, head }: { socket: Socket; head: Buffer },
): void {
  const output = new FrameWriter(socket);
  parts.onActivity();
  let target: Target;
  try {
    const program = parts.environment.program({ ...request, term: request.pty?.term ?? null });
    target =
      request.pty === null
        ? runPiped(parts, program, { socket, output })
        : runOnPty(parts, program, { socket, output, request, size: request.pty });
  } catch (error) {
    output.exit(startFailure(error));
    return;
  }
  const decoder = new FrameDecoder((type, payload) => {
    if (output.ended) return;
    if (type === FrameType.stdin) parts.onActivity();
    obey(target, type, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
  });
  const push = (chunk: Buffer): void => {
    try {
      decoder.push(chunk);
    } catch {
      // A broken or hostile peer: what it sends cannot be understood any more.
      socket.destroy();
    }
  };
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    target.closed();
    socket.end();
  };
  socket.on("data", push);
  socket.on("drain", () => target.drained());
  socket.on("end", close);
  socket.on("close", close);
  if (head.length > 0) push(head);
  socket.resume();
}

/** How a shell would report that a program did not start. */
export function startFailure(error: unknown): ExecExit {
  const code = error instanceof CannotStart ? error.exitCode : 126;
  return { code, signal: null, error: error instanceof Error ? error.message : String(error) };
}

function obey(target: Target, type: number, payload: Buffer): void {
  switch (type) {
    case FrameType.stdin:
      target.stdin(payload);
      break;
    case FrameType.stdinEnd:
      target.stdinEnd();
      break;
    case FrameType.signal: {
      const signal = signalOf(payload.toString("latin1"));
      if (signal !== null) target.signal(signal);
      break;
    }
    case FrameType.resize: {
      const { cols, rows } = readSize(parseJson(payload.toString("utf8")));
      target.resize(cols, rows);
      break;
    }
    case FrameType.hangup:
      target.hangup();
      break;
    default:
      throw new RangeError(`unknown frame ${type}`);
  }
}

/** The frames to the control plane. Nothing is written after the exit frame. */
class FrameWriter {
  readonly #socket: Socket;
  ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  started(pid: number, terminal: string | null): void {
    this.#socket.write(encodeFrame(FrameType.started, JSON.stringify({ pid, terminal })));
  }

  /** The chunk goes out uncopied. */
  data(type: FrameType, chunk: Buffer): void {
    if (this.ended || !this.#socket.writable) return;
    this.#socket.cork();
    this.#socket.write(frameHeader(type, chunk.length));
    this.#socket.write(chunk);
    this.#socket.uncork();
  }

  exit(exit: ExecExit): void {
    if (this.ended) return;
    this.ended = true;
    if (this.#socket.writable) this.#socket.end(encodeFrame(FrameType.exit, JSON.stringify(exit)));
    // What still comes is of no use, but reading it lets the connection end in order.
    this.#socket.resume();
  }
}

/** Starts a program of `program()` with three pipes, as the leader of a session of its own. */
export function spawnPiped(program: Program, stdin: "pipe" | "ignore"): ChildProcess {
  return spawn(program.file, program.args, {
    argv0: program.argv0,
    cwd: program.cwd,
    env: program.env,
    detached: true,
    stdio: [stdin, "pipe", "pipe"],
  });
}

function runPiped(
  { processes }: ExecParts,
  program: Program,
  { socket, output }: { socket: Socket; output: FrameWriter },
): Target {
  const child = spawnPiped(program, "pipe");
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("a pipe is missing");
  let running: RunningProcess | null = null;
  if (child.pid !== undefined) {
    running = processes.add(child.pid);
    output.started(child.pid, null);
  }
  const forward = (from: Readable, type: FrameType): void => {
    from.on("data", (chunk: Buffer) => {
      output.data(type, chunk);
      if (!output.congested) return;
      stdout.pause();
      stderr.pause();
    });
    from.on("error", () => undefined);
  };
  forward(stdout, FrameType.stdout);
  forward(stderr, FrameType.stderr);
  // EPIPE: the program closed its input, and what comes for it is dropped.
  stdin.on("error", () => socket.resume());
  stdin.on("drain", () => socket.resume());
  stdin.on("close", () => socket.resume());
  child.on("error", (error) => output.exit(startFailure(error)));
  child.on("exit", () => running?.exited());
  // "close" is after the exit and after the end of both outputs, so no byte comes later.
  child.on("close", (code, signal) =>
    output.exit({ code, signal: signal === null ? null : signal.slice("SIG".length), error: null }),
  );
  return {
    stdin: (piece) => {
      if (stdin.writable && !stdin.write(piece)) socket.pause();
    },
    stdinEnd: () => stdin.end(),
    signal: (name) => running?.signal(name),
    resize: () => undefined,
    hangup: () => running?.hangUp(),
    drained: () => {
      stdout.resume();
      stderr.resume();
    },
    closed: () => {
      stdin.end();
      stdout.destroy();
      stderr.destroy();
      running?.hangUpSoon();
    },
  };
}

function runOnPty(
  { terminals }: ExecParts,
  program: Program,
  {
    socket,
    output,
    request,
    size,
  }: {
    socket: Socket;
    output: FrameWriter;
    request: ExecRequest;
    size: { cols: number; rows: number };
  },
): Target {
  const title = (request.shell ?? request.argv?.join(" ") ?? program.argv0).slice(0, 100);
  const terminal = terminals.start(program, { title, task: null, ...size });
  output.started(terminal.pid, terminal.id);
  const sink: Sink = {
    output: (chunk) => output.data(FrameType.stdout, chunk),
    // An stdout stream has no word for a gap; with only this reader there is none.
    skipped: () => undefined,
    resized: () => undefined,
    ended: ({ code, signal }) => {
      output.exit({ code, signal, error: null });
      // Its reader has seen the end, so it need not be listed any longer.
      terminals.remove(terminal);
    },
    get congested() {
      return output.congested || !socket.writable;
    },
    get queuedBytes() {
      return socket.writableLength;
    },
  };
  const follower: Follower = terminal.follow(sink, 0);
  const write = (data: Buffer): void => {
    if (!terminal.write(data, () => socket.resume())) socket.pause();
  };
  return {
    stdin: write,
    stdinEnd: () => write(endOfInput),
    signal: (name) => terminal.signal(name),
    resize: (cols, rows) => terminal.resize(cols, rows),
    hangup: () => terminals.remove(terminal),
    drained: () => follower.drained(),
    closed: () => follower[Symbol.dispose](),
  };
}
