const newline = 10;

/** Cuts a byte stream into lines, and keeps no more of it than the longest one that is allowed. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  #pieces: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** @throws RangeError for a line that is too long: the peer is broken or hostile. */
  push(chunk: Buffer): void {
    let at = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, at)) {
      this.#keep(chunk.subarray(at, end));
      at = end + 1;
      const line = Buffer.concat(this.#pieces, this.#size).toString("utf8");
      this.#pieces = [];
      this.#size = 0;
      this.#onLine(line);
    }
    if (at < chunk.length) this.#keep(chunk.subarray(at));
  }

  #keep(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size > this.#maxBytes) throw new RangeError(`a line exceeds ${this.#maxBytes} bytes`);
    this.#pieces.push(piece);
  }
}
