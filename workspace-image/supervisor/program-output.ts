import type { Socket } from "node:net";
import {
  bulkBytes,
  littleBytes,
  readIntoOwnMemory,
  usualBytes,
} from "../../server/util/own-memory.ts";
import { pieceBytes, QuietTurns } from "./pieces.ts";

/** A program that prints this much at once has more to print. */
const muchBytes = 8 * 1024;

/** Of all programs: what is read into it is copied before anything else is read. */
const landing = Buffer.allocUnsafeSlow(usualBytes);

/** Of a program that prints little again; the next that prints much has it. */
let spare: Buffer | null = null;

export interface OutputTaker {
  /** Called before what was read is given. */
  readonly onRead: () => void;
  /**
   * @param taken to be called, after an answer of false, when the bytes are done with.
   * @returns whether they are already.
   */
  readonly onPiece: (piece: Buffer, taken: () => void) => boolean;
}

/**
 * What a program prints into a pipe, given in pieces: what comes at once is one of them. While a
 * piece is not taken, nothing more is read.
 *
 * Much is read to where it is given from, into memory that is used again: new memory for each read
 * has V8 mark its heap for each 64 MiB. One read has room for all that the pipe holds; after less,
 * libuv reads on, up to 32 times, before it looks at anybody's keystrokes.
 */
export class ProgramOutput {
  readonly #pipe: Socket;
  readonly #taker: OutputTaker;
  readonly #turns = new QuietTurns(() => this.flush());
  #memory: Buffer | null = null;
  /** What was read and not given yet stands in the memory from here … */
  #from = 0;
  /** … to here. */
  #to = 0;
  #lastBytes = 0;
  /** Pieces that are not taken yet. */
  #waiting = 0;

  constructor(pipe: Socket, taker: OutputTaker) {
    this.#pipe = pipe;
    this.#taker = taker;
    const onRead = (chunk: Buffer): boolean => {
      taker.onRead();
      this.#read(chunk);
      return true;
    };
    pipe.on("error", () => undefined);
    pipe.on("data", onRead);
    readIntoOwnMemory(pipe, { onRead, next: () => this.#next() });
  }

  /** Gives what is held, now. */
  flush(): void {
    this.#turns.stop();
    const piece = this.#memory?.subarray(this.#from, this.#to);
    this.#from = this.#to;
    if (piece !== undefined && piece.length > 0) this.#give(piece);
  }

  #read(chunk: Buffer): void {
    this.#lastBytes = chunk.length;
    const little = chunk.length < muchBytes;
    const inPlace = chunk.buffer === this.#memory?.buffer;
    if (!inPlace && (this.#waiting > 0 || (little && this.#from === this.#to))) {
      this.flush();
      this.#give(Buffer.from(chunk));
      return;
    }
    if (!inPlace) this.#copyIn(chunk);
    this.#to += chunk.length;
    if (little || this.#to >= pieceBytes) this.flush();
    else this.#turns.moved();
  }

  #give(piece: Buffer): void {
    const done = this.#taker.onPiece(piece, () => {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#pipe.resume();
    });
    if (done) return;
    this.#waiting += 1;
    this.#pipe.pause();
  }

  #copyIn(chunk: Buffer): void {
    if (this.#from === this.#to) this.#from = this.#to = 0;
    this.#memory ??= takeMemory();
    chunk.copy(this.#memory, this.#to);
  }

  /** Where the next read goes: Node resumes the pipe of a program that ended, whatever waits. */
  #next(): Buffer {
    if (this.#waiting > 0) return landing;
    if (this.#from === this.#to) {
      this.#from = this.#to = 0;
      if (this.#lastBytes < littleBytes) this.#putMemory();
    }
    return this.#memory?.subarray(this.#to) ?? landing;
  }

  #putMemory(): void {
    spare = this.#memory ?? spare;
    this.#memory = null;
  }
}

function takeMemory(): Buffer {
  const memory = spare ?? Buffer.allocUnsafeSlow(bulkBytes);
  spare = null;
  return memory;
}
