import type { Socket } from "node:net";
import { FrameType } from "../../server/protocol/frames.ts";
import type { AttachStream, ExecRequest } from "../../server/protocol/supervisor.ts";
import type { Program } from "./environment.ts";
import type { ExecParts } from "./exec.ts";
import { FrameWriter, serveFrames, type Target } from "./exec-stream.ts";
import type { PtyWishes } from "./pty-preparation.ts";
import { withoutQueries } from "./replay.ts";
import type { Sink, Terminal, Terminals } from "./terminals.ts";

/** What a program sees when its terminal's input ends: VEOF of a terminal in its usual mode. */
const controlD = 4;

type Pty = NonNullable<ExecRequest["pty"]>;

/** Starts a program on a pty of its own; a hangup ends it, and a stream that breaks does not. */
export function runOnPty(
  { terminals, environment }: Pick<ExecParts, "terminals" | "environment">,
  program: Program,
  stream: { socket: Socket; output: FrameWriter; request: ExecRequest; pty: Pty },
): Target {
  const { output, request, pty } = stream;
  const { cols, rows, modes } = pty;
  const title = (request.shell ?? request.argv?.join(" ") ?? program.argv0).slice(0, 100);
  const wishes = wishesOf(pty);
  const terminal = terminals.start(program, {
    ...{ title, task: null, cols, rows, ofStream: true },
    ...(wishes === null ? {} : { wishes }),
  });
  output.started(terminal.pid, terminal.id);
  if (request.motd !== null && !environment.hushed()) terminal.print(request.motd);
  return {
    ...watched(terminals, terminal, { ...stream, from: 0 }),
    stdinEnd: () => write(stream.socket, terminal, Buffer.from([modes?.["VEOF"] ?? controlD])),
    hangup: () => terminals.remove(terminal),
  };
}

/** Joins a stream to a terminal that is there; a hangup ends the stream, and never the terminal. */
export function serveAttach(
  { terminals, onActivity }: Pick<ExecParts, "terminals" | "onActivity">,
  { terminal, request }: { terminal: Terminal; request: AttachStream },
  { socket, head }: { socket: Socket; head: Buffer },
): void {
  const output = new FrameWriter(socket);
  onActivity();
  output.started(terminal.pid, terminal.id);
  const { start, end } = terminal.ring;
  if (end > start) {
    output.data(FrameType.stdout, withoutQueries(terminal.ring.read(start, end - start)));
  }
  const target: Target = {
    ...watched(terminals, terminal, { socket, output, from: end }),
    stdinEnd: () => undefined,
    hangup: () => socket.destroy(),
  };
  if (request.size !== null) terminal.resize(request.size.cols, request.size.rows);
  serveFrames({ socket, head }, output, { target, onInput: onActivity });
}

/** What both have: the terminal's output goes to the stream, and what it sends to the terminal. */
function watched(
  terminals: Terminals,
  terminal: Terminal,
  { socket, output, from }: { socket: Socket; output: FrameWriter; from: number },
): Omit<Target, "stdinEnd" | "hangup"> {
  const sink: Sink = {
    output: (chunk) => output.data(FrameType.stdout, chunk),
    // An stdout stream has no word for a gap; only one who reads slower than another has any.
    skipped: () => undefined,
    resized: () => undefined,
    ended: ({ code, signal }) => {
      output.exit({ code, signal, error: null });
      // Its reader has seen the end, so it need not be listed any longer.
      terminals.remove(terminal);
    },
    get congested() {
      return output.congested || !output.writable;
    },
    get queuedBytes() {
      return output.queuedBytes;
    },
  };
  const follower = terminal.follow(sink, from);
  return {
    stdin: (piece) => write(socket, terminal, piece),
    signal: (name) => terminal.signal(name),
    resize: (cols, rows) => terminal.resize(cols, rows),
    drained: () => follower.drained(),
    closed: () => follower[Symbol.dispose](),
  };
}

function write(socket: Socket, terminal: Terminal, data: Buffer): void {
  if (!terminal.write(data, () => socket.resume())) socket.pause();
}

function wishesOf({ modes, nameIn }: Pty): PtyWishes | null {
  if (modes === undefined && nameIn === undefined) return null;
  return { modes: modes ?? {}, nameIn: nameIn ?? null };
}
