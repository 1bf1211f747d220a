/**
 * The framing of an exec stream: `type` (1 byte), `length` (4 bytes, big-endian), payload. One exec
 * is one TCP connection, so the kernel's flow control is the stream's flow control.
 *
 * To the supervisor: stdin, stdinEnd, signal, resize, hangup; of a dial with a window, stdin and
 * credit. From it: started, stdout, stderr, exit. A stream that closes without `hangup` leaves a
 * pty's program running as a terminal (the control plane died); a program without a pty gets its end
 * of input and its broken pipe.
 */
export const FrameType = {
  stdin: 1,
  /** No payload: the program's standard input is closed. */
  stdinEnd: 2,
  /** Payload: the signal's name without SIG, ASCII. */
  signal: 3,
  /** Payload: JSON `{cols, rows}`. */
  resize: 4,
  /** No payload: the user went away. HUP, TERM after 2 s, KILL after 5 s more. */
  hangup: 5,
  /** Payload: 4 bytes, big-endian: so many more bytes may come, as so many were read. */
  credit: 6,
  /** Payload: JSON `{pid, terminal: id | null}`; the first frame from the supervisor. */
  started: 16,
  stdout: 17,
  stderr: 18,
  /** Payload: JSON ExecExit; the last frame from the supervisor. */
  exit: 19,
  /** Payload: JSON OutputPosition, of what follows; of a terminal's output, and of nothing else. */
  position: 20,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** How a program ended; where it could not start, `error` says why and `code` is 126 or 127. */
export interface ExecExit {
  code: number | null;
  /** Without SIG. */
  signal: string | null;
  error: string | null;
}

const headerBytes = 5;

/** No frame is larger: a peer that says otherwise is refused before anything is kept for it. */
export const maxFrameBytes = 1024 * 1024;

/** The 5 bytes before a payload of `length` bytes. */
export function frameHeader(type: FrameType, length: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  header[0] = type;
  new DataView(header.buffer).setUint32(1, length);
  return header;
}

const encoder = new TextEncoder();

/** A whole frame, for the small ones; large payloads are written after a `frameHeader`, uncopied. */
export function encodeFrame(type: FrameType, payload: Uint8Array | string = ""): Uint8Array {
  const body = typeof payload === "string" ? encoder.encode(payload) : payload;
  const frame = new Uint8Array(headerBytes + body.length);
  frame.set(frameHeader(type, body.length));
  frame.set(body, headerBytes);
  return frame;
}

export function encodeCredit(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return encodeFrame(FrameType.credit, payload);
}

/** @throws RangeError for a payload that is too short. */
export function decodeCredit(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0);
}

/**
 * Cuts a byte stream into frames. The payload of a stdin, stdout or stderr frame is handed on in the
 * pieces in which it arrives, uncopied (the pieces alias the chunk); other frames are whole.
 *
 * @throws RangeError when a frame is longer than `maxFrameBytes`: the peer is broken or hostile.
 */
export class FrameDecoder {
  readonly #onFrame: (type: number, payload: Uint8Array) => void;
  readonly #header = new Uint8Array(headerBytes);
  #headerFill = 0;
  #type = 0;
  #remaining = 0;
  #whole: Uint8Array | null = null;
  #wholeFill = 0;

  constructor(onFrame: (type: number, payload: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFill < headerBytes) {
        const take = Math.min(headerBytes - this.#headerFill, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + take), this.#headerFill);
        this.#headerFill += take;
        at += take;
        if (this.#headerFill < headerBytes) return;
        this.#begin();
        if (this.#remaining === 0) this.#finish(new Uint8Array(0));
        continue;
      }
      const take = Math.min(this.#remaining, chunk.length - at);
      const piece = chunk.subarray(at, at + take);
      at += take;
      this.#remaining -= take;
      if (this.#whole === null) {
        if (this.#remaining === 0) this.#headerFill = 0;
        this.#onFrame(this.#type, piece);
      } else {
        this.#whole.set(piece, this.#wholeFill);
        this.#wholeFill += take;
        if (this.#remaining === 0) this.#finish(this.#whole);
      }
    }
  }

  #begin(): void {
    this.#type = this.#header[0] ?? 0;
    this.#remaining = new DataView(this.#header.buffer).getUint32(1);
    if (this.#remaining > maxFrameBytes) {
      throw new RangeError(`frame of ${this.#remaining} bytes exceeds ${maxFrameBytes}`);
    }
    const streamed =
      this.#type === FrameType.stdin ||
      this.#type === FrameType.stdout ||
      this.#type === FrameType.stderr;
    this.#whole = streamed ? null : new Uint8Array(this.#remaining);
    this.#wholeFill = 0;
  }

  #finish(payload: Uint8Array): void {
    this.#headerFill = 0;
    this.#onFrame(this.#type, payload);
  }
}
