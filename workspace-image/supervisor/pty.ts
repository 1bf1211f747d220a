import { readSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import type { OnReadOpts, SocketConstructorOpts } from "node:net";
import { ReadStream } from "node:tty";
import type { Program } from "./environment.ts";
import { masterOpened } from "./open-masters.ts";
import { ReadPieces } from "./pieces.ts";
import { signalName, type Processes, type RunningProcess } from "./processes.ts";
import { prepared, preparedByte, type PtyWishes } from "./pty-preparation.ts";

/**
 * node-pty's native part, used directly: its JavaScript destroys the reader 200 ms after the
 * program's exit, which loses the end of the output of a paused terminal, and spins while a program
 * does not read its input. The version is pinned, and the suite runs on this interface.
 */
interface NativePty {
  fork(...parameters: ForkParameters): { fd: number; pid: number };
  resize(fd: number, cols: number, rows: number, widthPx: number, heightPx: number): void;
}
type ForkParameters = [
  file: string,
  args: string[],
  env: string[],
  cwd: string,
  cols: number,
  rows: number,
  uid: number,
  gid: number,
  utf8: boolean,
  helper: string,
  onExit: (code: number, signal: number) => void,
];

/** "Keep the supervisor's own." */
const sameId = -1;

/** A full pty has no event for "there is room again" that Node offers: look, ever more rarely. */
const firstRetryMs = 1;
const lastRetryMs = 50;

/** Above this, `write` says that the program is behind with its input. */
const inputHighWatermarkBytes = 64 * 1024;

/**
 * How long after the program's end a reader waits for the end of its output. The kernel hangs the
 * terminal up when a session's leader ends, so the end comes at once; this is for the case that it
 * does not.
 */
const lastOutputMs = 1000;

/** The kernel gives at most this much of a terminal in one read; half of it is much. */
const readBytes = 4096;
const muchBytes = readBytes / 2;

/** Where the event loop reads: what is here is used or copied before anything else runs. */
const landing = Buffer.allocUnsafeSlow(readBytes);

export interface PtyEnd {
  readonly code: number | null;
  /** Without SIG. */
  readonly signal: string | null;
}

export interface PtyListeners {
  /** @returns whether the chunk is done with; else its bytes stay as they are. */
  readonly onData: (chunk: Buffer) => boolean;
  /** Once: the program has ended, and all of its output was given to `onData`. */
  readonly onEnd: (end: PtyEnd) => void;
  /** After a `write` that gave false: there is room again. */
  readonly onInputDrained: () => void;
}

let native: NativePty | null = null;

function loadNative(): NativePty {
  native ??= createRequire(import.meta.url)(
    `node-pty/prebuilds/${process.platform}-${process.arch}/pty.node`,
  ) as NativePty;
  return native;
}

/** A program on a pseudo-terminal. */
export class Pty {
  readonly process: RunningProcess;
  readonly #fd: number;
  readonly #output: ReadStream;
  readonly #listeners: PtyListeners;
  readonly #pieces = new ReadPieces((piece) => this.#give(piece));
  readonly #input: Buffer[] = [];
  #inputBytes = 0;
  #inputBehind = false;
  #retryMs = firstRetryMs;
  #retryTimer: NodeJS.Timeout | null = null;
  #lastOutputTimer: NodeJS.Timeout | null = null;
  #exit: PtyEnd | null = null;
  #outputEnded = false;
  #paused = false;
  /** The terminal is not yet as wished: input would be taken by the wrong modes. */
  #preparing: boolean;

  /** @param options.wishes absent: the terminal is as every new one. */
  constructor(
    wanted: Program,
    options: { cols: number; rows: number; processes: Processes; wishes?: PtyWishes },
    listeners: PtyListeners,
  ) {
    this.#listeners = listeners;
    this.#preparing = options.wishes !== undefined;
    const program = options.wishes === undefined ? wanted : prepared(wanted, options.wishes);
    const started = loadNative().fork(
      // It is argv[0] too.
      program.file,
      [...program.args],
      Object.entries(program.env).map(([name, value]) => `${name}=${value}`),
      program.cwd,
      options.cols,
      options.rows,
      sameId,
      sameId,
      true,
      "",
      (code, signal) => this.#exited(code, signal),
    );
    this.#fd = started.fd;
    const master = masterOpened(started.fd);
    this.process = options.processes.add(started.pid);
    // What the kernel has after a read that suggests that it has more. One event, and one write to
    // each client, for what would be a dozen: half of the time that much output takes.
    const readMore = (into: Buffer, at: number): number => this.#readInto(into, at);
    const onread = {
      buffer: landing,
      callback: (length: number): boolean => {
        this.#lastOutputTimer?.refresh();
        const landed = landing.subarray(0, length);
        if (length < muchBytes && !this.#pieces.waiting) this.#give(Buffer.from(landed));
        else this.#pieces.fill(landed, readBytes, readMore);
        return true;
      },
    };
    // Node's types lack the option here, which it passes on to the socket.
    const reading: SocketConstructorOpts & { onread: OnReadOpts } = { onread };
    this.#output = new ReadStream(started.fd, reading);
    this.#startReading();
    this.#output.on("end", () => {
      this.#pieces.flush();
      this.#readRest();
    });
    // EIO is how a terminal ends whose other side was closed; "close" follows every error.
    this.#output.on("error", () => undefined);
    this.#output.on("close", () => {
      master[Symbol.dispose]();
      this.#pieces.flush();
      this.#outputEnded = true;
      this.#dropInput();
      this.#ended();
    });
  }

  /** Input for the program; false: it is behind, wait for `onInputDrained`. */
  write(data: Buffer): boolean {
    if (this.#output.destroyed || data.length === 0) return true;
    this.#input.push(data);
    this.#inputBytes += data.length;
    if (this.#retryTimer === null && !this.#preparing) this.#flush();
    this.#inputBehind = this.#inputBytes > inputHighWatermarkBytes;
    return !this.#inputBehind;
  }

  resize(cols: number, rows: number): void {
    if (!this.#output.destroyed) loadNative().resize(this.#fd, cols, rows, 0, 0);
  }

  /** Leaves the output in the kernel: the program waits when that is full. */
  pause(): void {
    this.#output.pause();
    this.#paused = true;
    this.#armLastOutput();
  }

  resume(): void {
    this.#paused = false;
    this.#startReading();
    this.#armLastOutput();
  }

  /** Not by the stream's `resume`, which reads once more in its next turn whatever comes between. */
  #startReading(): void {
    this.#output.read(0);
  }

  /**
   * libuv takes the first short read after the other side was closed for the last (uv__stream_io in
   * unix/stream.c, "Short-circuit iff POLLHUP"), but each read of a terminal is short: up to 64 KiB
   * are still in the kernel. The descriptor is open until this event is over.
   */
  #readRest(): void {
    for (let length = this.#readInto(landing, 0); length > 0; length = this.#readInto(landing, 0)) {
      this.#give(Buffer.from(landing.subarray(0, length)));
    }
  }

  /** @returns whether the chunk's memory may be used again. */
  #give(chunk: Buffer): boolean {
    if (!this.#preparing) return this.#listeners.onData(chunk);
    this.#preparing = false;
    const rest = chunk[0] === preparedByte ? chunk.subarray(1) : chunk;
    const done = rest.length === 0 || this.#listeners.onData(rest);
    this.#flush();
    return done;
  }

  /** 0: there is nothing now, or (EIO) nothing will come. */
  #readInto(buffer: Buffer, at: number): number {
    try {
      return readSync(this.#fd, buffer, at, readBytes, null);
    } catch {
      return 0;
    }
  }

  #flush(): void {
    this.#retryTimer = null;
    // After destroy() the descriptor may be another file's.
    while (this.#input[0] !== undefined && !this.#output.destroyed) {
      const piece = this.#input[0];
      const written = this.#writeSome(piece);
      this.#inputBytes -= written;
      if (written === piece.length) {
        this.#input.shift();
        continue;
      }
      if (written > 0) this.#retryMs = firstRetryMs;
      this.#input[0] = piece.subarray(written);
      this.#retryTimer = setTimeout(() => this.#flush(), this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
      return;
    }
    this.#retryMs = firstRetryMs;
    if (!this.#inputBehind) return;
    this.#inputBehind = false;
    this.#listeners.onInputDrained();
  }

  /** The descriptor does not block: this takes what there is room for. */
  #writeSome(piece: Buffer): number {
    try {
      return writeSync(this.#fd, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      // EIO: nobody has the terminal open any more, so nobody will read it.
      return piece.length;
    }
  }

  #dropInput(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#input.length = 0;
    this.#inputBytes = 0;
    if (this.#inputBehind) this.#listeners.onInputDrained();
    this.#inputBehind = false;
  }

  #exited(code: number, signal: number): void {
    this.process.exited();
    this.#exit = signal === 0 ? { code, signal: null } : { code: null, signal: signalName(signal) };
    this.#armLastOutput();
    this.#ended();
  }

  #armLastOutput(): void {
    if (this.#lastOutputTimer !== null) clearTimeout(this.#lastOutputTimer);
    this.#lastOutputTimer = null;
    if (this.#exit === null || this.#outputEnded || this.#paused) return;
    this.#lastOutputTimer = setTimeout(() => this.#output.destroy(), lastOutputMs);
  }

  #ended(): void {
    if (this.#exit === null || !this.#outputEnded) return;
    if (this.#lastOutputTimer !== null) clearTimeout(this.#lastOutputTimer);
    this.#listeners.onEnd(this.#exit);
  }
}
