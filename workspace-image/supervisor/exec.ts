import { spawn, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { FrameType, type ExecExit } from "../../server/protocol/frames.ts";
import type { ExecRequest } from "../../server/protocol/supervisor.ts";
import { CannotStart, type Environment, type Program } from "./environment.ts";
import { runOnPty } from "./exec-pty.ts";
import { FrameWriter, serveFrames, type Target } from "./exec-stream.ts";
import { withoutMasters } from "./open-masters.ts";
import type { Processes, RunningProcess } from "./processes.ts";
import { ProgramOutput } from "./program-output.ts";
import { standardStreams } from "./session-members.ts";
import type { Terminals } from "./terminals.ts";

export interface ExecParts {
  readonly environment: Environment;
  readonly processes: Processes;
  readonly terminals: Terminals;
  /** Somebody works here: a command starts, or gets input. */
  readonly onActivity: () => void;
}

/** Runs a program at the other end of an upgraded socket; `head` is what came with the upgrade. */
export function serveExec(
  parts: ExecParts,
  request: ExecRequest,
  { socket, head }: { socket: Socket; head: Buffer },
): void {
  const output = new FrameWriter(socket);
  const { pty } = request;
  parts.onActivity();
  let target: Target;
  try {
    const program = parts.environment.program({ ...request, term: pty?.term ?? null });
    target =
      pty === null
        ? runPiped(parts, program, { socket, output })
        : runOnPty(parts, program, { socket, output, request, pty });
  } catch (error) {
    output.exit(startFailure(error));
    return;
  }
  serveFrames({ socket, head }, output, { target, onInput: parts.onActivity });
}

/** How a shell would report that a program did not start. */
export function startFailure(error: unknown): ExecExit {
  const code = error instanceof CannotStart ? error.exitCode : 126;
  return { code, signal: null, error: error instanceof Error ? error.message : String(error) };
}

/** Starts a program of `program()` with three pipes, as the leader of a session of its own. */
export function spawnPiped(program: Program, stdin: "pipe" | "ignore"): ChildProcess {
  return spawn(program.file, program.args, {
    argv0: program.argv0,
    cwd: program.cwd,
    env: program.env,
    detached: true,
    stdio: [stdin, "pipe", "pipe", ...withoutMasters()],
  });
}

/** How long a program lives on, at most, whose user is gone while it took no input. */
const askEveryMs = 2000;

/**
 * Input that the program does not take yet. A connection that is not read does not tell that it was
 * cut; one that is written to does, so empty output is written meanwhile.
 */
class HeldInput {
  readonly #socket: Socket;
  readonly #output: FrameWriter;
  #asking: NodeJS.Timeout | undefined;

  constructor(socket: Socket, output: FrameWriter) {
    this.#socket = socket;
    this.#output = output;
  }

  hold(): void {
    this.#socket.pause();
    this.#asking ??= setInterval(() => {
      this.#output.data(FrameType.stdout, Buffer.alloc(0));
    }, askEveryMs);
  }

  take(): void {
    clearInterval(this.#asking);
    this.#asking = undefined;
    this.#socket.resume();
  }
}

function runPiped(
  { processes }: ExecParts,
  program: Program,
  { socket, output }: { socket: Socket; output: FrameWriter },
): Target {
  const child = spawnPiped(program, "pipe");
  const { stdin, stdout, stderr } = child;
  if (stdin === null || !(stdout instanceof Socket) || !(stderr instanceof Socket)) {
    throw new Error("a pipe is missing");
  }
  let running: RunningProcess | null = null;
  if (child.pid !== undefined) {
    running = processes.add(child.pid, standardStreams(child.pid));
    output.started(child.pid, null);
  }
  const outputOf = (type: FrameType, pipe: Socket, before: () => void): ProgramOutput =>
    new ProgramOutput(pipe, {
      onRead: before,
      onPiece: (piece, taken) => output.data(type, piece, taken),
    });
  // In the order in which they were read.
  const printed: ProgramOutput = outputOf(FrameType.stdout, stdout, () => complaints.flush());
  const complaints: ProgramOutput = outputOf(FrameType.stderr, stderr, () => printed.flush());
  // EPIPE: the program closed its input, and what comes for it is dropped.
  const input = new HeldInput(socket, output);
  stdin.on("error", () => input.take());
  stdin.on("drain", () => input.take());
  stdin.on("close", () => input.take());
  child.on("error", (error) => output.exit(startFailure(error)));
  let exited = false;
  let hungUp = false;
  // What it left behind may keep the output open for ever, and nobody reads it any more.
  const dropOutput = (): void => {
    stdout.destroy();
    stderr.destroy();
  };
  child.on("exit", () => {
    exited = true;
    running?.exited();
    if (hungUp) dropOutput();
  });
  // "close" is after the exit and after the end of both outputs, so no byte comes later.
  child.on("close", (code, signal) => {
    printed.flush();
    complaints.flush();
    output.exit({ code, signal: signal === null ? null : signal.slice("SIG".length), error: null });
  });
  return {
    stdin: (piece) => {
      if (stdin.writable && !stdin.write(piece)) input.hold();
    },
    input: stdin,
    stdinEnd: () => stdin.end(),
    signal: (name) => running?.signal(name),
    resize: () => undefined,
    hangup: () => {
      hungUp = true;
      running?.hangUp();
      if (exited) dropOutput();
    },
    drained: () => undefined,
    closed: () => {
      input.take();
      stdin.end();
      dropOutput();
      running?.hangUpSoon();
    },
  };
}
