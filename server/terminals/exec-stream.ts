import type { Socket } from "node:net";
import { z } from "zod";
import { encodeFrame, FrameDecoder, FrameType, type ExecExit } from "../protocol/frames.ts";
import { takeReads } from "../util/relayed-socket.ts";
import { Turns } from "../util/turns.ts";
import { FramedInput } from "./framed-input.ts";

/** Output of a collected command is cut here, so that no command can fill our memory. */
const defaultMaxOutputBytes = 8 * 1024 * 1024;

/** Longer than a supervisor needs that takes its input. */
const hangupPatienceMs = 1000;

export interface ExecListeners {
  /** The pieces alias the socket's buffers: use them at once or copy. */
  readonly onStdout: (piece: Uint8Array) => void;
  readonly onStderr: (piece: Uint8Array) => void;
  /** Once; after the last output. A stream that broke gives `error` and no code. */
  readonly onExit: (exit: ExecExit) => void;
  readonly onStarted?: () => void;
}

/**
 * The control plane's end of one exec stream: `write` is its standard input; `pause` and `resume`
 * hold its output.
 */
export class ExecStream extends FramedInput implements Disposable {
  readonly #socket: Socket;
  readonly #rest: Buffer;
  readonly #turns: Turns;
  #exited = false;
  #hungUp = false;

  constructor(socket: Socket, rest: Buffer) {
    super(socket);
    this.#socket = socket;
    this.#rest = rest;
    this.#turns = new Turns(socket);
  }

  /** Starts the flow of output; call once. */
  listen(listeners: ExecListeners): void {
    const decoder = new FrameDecoder((type, payload) => {
      switch (type) {
        case FrameType.stdout:
          if (payload.length === 0) this.#inputIsHeld();
          else listeners.onStdout(payload);
          break;
        case FrameType.stderr:
          listeners.onStderr(payload);
          break;
        case FrameType.started:
          listeners.onStarted?.();
          break;
        case FrameType.exit:
          this.#exited = true;
          listeners.onExit(readExit(payload));
          this.#socket.end();
          break;
        default:
          throw new RangeError(`unknown frame ${type}`);
      }
    });
    const push = (chunk: Uint8Array): void => {
      this.#turns.took(chunk.length);
      try {
        decoder.push(chunk);
      } catch (error) {
        this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    };
    if (this.#rest.length > 0) push(this.#rest);
    const taken = takeReads(this.#socket, (chunk) => {
      push(chunk);
      return !this.#turns.waits;
    });
    if (!taken) this.#socket.on("data", push);
    this.#socket.on("end", () => this.#socket.end());
    this.#socket.on("close", () => {
      if (this.#exited) return;
      this.#exited = true;
      listeners.onExit({
        code: null,
        signal: null,
        error: "the connection to the workspace broke",
      });
    });
    this.#turns.release();
  }

  endInput(): void {
    this.#send(encodeFrame(FrameType.stdinEnd));
  }

  /** @param name without SIG, such as `INT`. */
  signal(name: string): void {
    this.#send(encodeFrame(FrameType.signal, name));
  }

  resize(size: { cols: number; rows: number }): void {
    this.#send(encodeFrame(FrameType.resize, JSON.stringify(size)));
  }

  /**
   * The user went away: HUP, TERM after 2 s, KILL after 5 s more. The supervisor does that also when
   * the stream ends meanwhile: it keeps no process.
   */
  hangup(): void {
    this.#hungUp = true;
    this.#send(encodeFrame(FrameType.hangup));
    const socket = this.#socket;
    socket.unref();
    if (socket.writableLength === 0) return;
    // It stands behind input that the program may never read. A cut connection says the same.
    const timer = setTimeout(() => socket.resetAndDestroy(), hangupPatienceMs);
    const forget = (): void => clearTimeout(timer);
    socket.once("drain", forget).once("close", forget);
  }

  /**
   * The supervisor says now and then that it reads nothing because the program takes no input; then
   * the hangup stands behind that input.
   */
  #inputIsHeld(): void {
    if (this.#hungUp) this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#turns.hold();
  }

  resume(): void {
    this.#turns.release();
  }

  /** Closes without a hangup: a program on a pty goes on as a terminal. */
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Gives all input, collects the output, and resolves when the program has ended. */
  collect(
    input: Uint8Array | string = "",
    maxOutputBytes = defaultMaxOutputBytes,
  ): Promise<{ exit: ExecExit; stdout: Buffer; stderr: Buffer }> {
    return new Promise((resolve) => {
      const stdout = new Collected(maxOutputBytes);
      const stderr = new Collected(maxOutputBytes);
      this.listen({
        onStdout: (piece) => stdout.add(piece),
        onStderr: (piece) => stderr.add(piece),
        onExit: (exit) => resolve({ exit, stdout: stdout.bytes(), stderr: stderr.bytes() }),
      });
      const bytes = typeof input === "string" ? Buffer.from(input) : input;
      if (bytes.length > 0) this.write(bytes);
      this.endInput();
    });
  }

  #send(frame: Uint8Array): void {
    this.uncork();
    if (!this.#exited && this.#socket.writable) this.#socket.write(frame);
  }
}

/** What comes from a workspace is a stranger's word: anything but the agreed form is a failure. */
function readExit(payload: Uint8Array): ExecExit {
  const said = ExecExitMessage.safeParse(parseJson(new TextDecoder().decode(payload)));
  return said.success
    ? said.data
    : { code: null, signal: null, error: "the workspace's answer was not understood" };
}

/** `undefined` where the text is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const ExecExitMessage = z.object({
  code: z.number().int().min(0).max(255).nullable(),
  signal: z.string().max(20).nullable(),
  error: z
    .string()
    .transform((text) => text.slice(0, 1000))
    .nullable(),
});

class Collected {
  readonly #pieces: Buffer[] = [];
  #left: number;

  constructor(maxBytes: number) {
    this.#left = maxBytes;
  }

  add(piece: Uint8Array): void {
    if (this.#left === 0) return;
    const kept = Buffer.from(piece.subarray(0, this.#left));
    this.#left -= kept.length;
    this.#pieces.push(kept);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
