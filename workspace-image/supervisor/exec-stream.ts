import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import {
  encodeFrame,
  FrameDecoder,
  frameHeader,
  FrameType,
  type ExecExit,
} from "../../server/protocol/frames.ts";
import {
  bulkBytes,
  littleBytes,
  readIntoOwnMemory,
  usualBytes,
} from "../../server/util/own-memory.ts";
import { parseJson, readSize } from "./guards.ts";
import { signalOf } from "./processes.ts";

/** What the frames from the control plane do to a program. */
export interface Target {
  stdin(piece: Buffer): void;
  /** Where `stdin` writes its pieces to, as they are, if that is so. */
  readonly input?: Writable;
  stdinEnd(): void;
  signal(name: NodeJS.Signals): void;
  resize(cols: number, rows: number): void;
  hangup(): void;
  /** The connection has room again. */
  drained(): void;
  /** The connection is gone, after a hangup or without one. */
  closed(): void;
}

/**
 * Lets the frames that come on `socket` act on `target`, up to the stream's end; `head` is what came
 * with the upgrade. `onInput`: somebody typed.
 */
export function serveFrames(
  { socket, head }: { socket: Socket; head: Buffer },
  output: FrameWriter,
  { target, onInput }: { target: Target; onInput: () => void },
): void {
  const decoder = new FrameDecoder((type, payload) => {
    if (output.ended) return;
    if (type === FrameType.stdin) onInput();
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
  if (target.input !== undefined) readInBulk(socket, push, target.input);
  socket.on("drain", () => target.drained());
  socket.on("end", close);
  socket.on("close", close);
  if (head.length > 0) push(head);
  socket.resume();
}

/** Of all connections: what is read into it is copied before anything else is read. */
const shared = Buffer.allocUnsafeSlow(usualBytes);

/**
 * Much input is read into memory that is used again: new memory for each read has V8 mark its heap
 * for each 64 MiB. A connection of which little comes has none.
 *
 * @param input where `push` writes what it is given to, as it is.
 */
export function readInBulk(socket: Socket, push: (chunk: Buffer) => void, input: Writable): void {
  let own: Buffer | null = null;
  let bytes = 0;
  readIntoOwnMemory(socket, {
    onRead: (chunk) => {
      bytes = chunk.length;
      const direct = socket.readableFlowing === true && socket.readableLength === 0;
      if (own === null || !direct) return socket.push(Buffer.from(chunk));
      push(chunk);
      // What waits for the program stands in it. It may, where nothing is read until that is gone:
      // only the program's input holds this connection.
      if (input.writableLength > 0 && !socket.isPaused()) own = null;
      return true;
    },
    next: () => {
      if (bytes < littleBytes) own = null;
      else if (bytes >= usualBytes) own ??= Buffer.allocUnsafeSlow(bulkBytes);
      return own ?? shared;
    },
  });
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
export class FrameWriter {
  readonly #socket: Socket;
  ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get writable(): boolean {
    return this.#socket.writable;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  started(pid: number, terminal: string | null): void {
    this.#socket.write(encodeFrame(FrameType.started, JSON.stringify({ pid, terminal })));
  }

  /**
   * One frame of a chunk, which goes out uncopied.
   *
   * @param taken called, after an answer of false, when its bytes are done with.
   * @returns whether they are already.
   */
  data(type: FrameType, chunk: Buffer, taken: () => void = () => undefined): boolean {
    const socket = this.#socket;
    if (this.ended || !socket.writable) return true;
    let waits = false;
    socket.cork();
    socket.write(frameHeader(type, chunk.length));
    socket.write(chunk, () => {
      if (waits) taken();
    });
    socket.uncork();
    waits = socket.writableLength > 0;
    return !waits;
  }

  exit(exit: ExecExit): void {
    if (this.ended) return;
    this.ended = true;
    if (this.#socket.writable) this.#socket.end(encodeFrame(FrameType.exit, JSON.stringify(exit)));
    // What still comes is of no use, but reading it lets the connection end in order.
    this.#socket.resume();
  }
}
