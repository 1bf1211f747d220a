import type { Socket } from "node:net";
import { frameHeader, FrameType, maxFrameBytes } from "../protocol/frames.ts";

/**
 * What goes into a program or a connection of a workspace, in stdin frames. `write` returns false when
 * the supervisor is behind; `onDrain` calls back.
 */
export class FramedInput {
  protected readonly socket: Socket;
  #corked = false;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Whoever writes was told to wait. */
  #full = false;
  #onDrain: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** False when it should wait for `onDrain`. What is corked must not be changed. */
  write(data: Uint8Array): boolean {
    if (data.length === 0) return !this.#full;
    this.#pieces.push(data);
    this.#bytes += data.length;
    if (!this.#corked) this.#send();
    const { writableLength, writableHighWaterMark } = this.socket;
    this.#full = writableLength + this.#bytes >= writableHighWaterMark;
    return !this.#full;
  }

  onDrain(drained: () => void): void {
    this.#onDrain = drained;
    this.socket.on("drain", () => this.#drained());
  }

  /** What is written until `uncork` goes out at once, and arrives in larger pieces. */
  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    if (this.#bytes > 0) this.#send();
    // What made it full may have been gone before this was written: no event says so then.
    if (!this.socket.writableNeedDrain) this.#drained();
  }

  /** With the frames that are around them, and what waits to be sent. */
  get bytesWritten(): number {
    return this.socket.bytesWritten;
  }

  get writableLength(): number {
    return this.socket.writableLength;
  }

  get closed(): boolean {
    return this.socket.closed;
  }

  #drained(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#onDrain();
  }

  /** One frame for all of it, where one may be so long. */
  #send(): void {
    const pieces = this.#pieces;
    const whole = this.#bytes <= maxFrameBytes;
    this.#pieces = [];
    this.socket.cork();
    if (whole) this.socket.write(frameHeader(FrameType.stdin, this.#bytes));
    this.#bytes = 0;
    for (const piece of pieces) {
      if (whole) this.socket.write(piece);
      else this.#sendFrames(piece);
    }
    this.socket.uncork();
  }

  #sendFrames(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; at += maxFrameBytes) {
      const part = piece.subarray(at, at + maxFrameBytes);
      this.socket.write(frameHeader(FrameType.stdin, part.length));
      this.socket.write(part);
    }
  }
}
