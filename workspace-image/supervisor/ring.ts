const firstBytes = 4 * 1024;

/**
 * The last `capacity` bytes of a stream, by absolute offset. It grows by doubling, so that a shell
 * with a prompt costs 4 KiB.
 */
export class Ring {
  readonly #capacity: number;
  /** The byte of offset n is at n modulo the length; nothing wraps before the capacity is reached. */
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;

  /** @param capacity in bytes. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The absolute offset of the first byte that is kept. */
  get start(): number {
    return Math.max(0, this.#end - this.#capacity);
  }

  /** The absolute offset after the last byte. */
  get end(): number {
    return this.#end;
  }

  append(chunk: Uint8Array): void {
    const kept = chunk.length > this.#capacity ? chunk.subarray(-this.#capacity) : chunk;
    if (kept.length === 0) return;
    const end = this.#end + chunk.length;
    this.#reserve(Math.min(this.#capacity, end));
    const at = (end - kept.length) % this.#bytes.length;
    const head = Math.min(kept.length, this.#bytes.length - at);
    this.#bytes.set(kept.subarray(0, head), at);
    this.#bytes.set(kept.subarray(head), 0);
    this.#end = end;
  }

  /**
   * A copy of up to `maxBytes` from an absolute offset on. (A copy: what waits in a socket would
   * change under it.)
   *
   * @throws RangeError for an offset that is not kept.
   */
  read(from: number, maxBytes: number): Buffer {
    if (from < this.start || from > this.#end) throw new RangeError(`offset ${from} is not kept`);
    const length = Math.min(maxBytes, this.#end - from);
    if (length === 0) return Buffer.alloc(0);
    const at = from % this.#bytes.length;
    const copy = Buffer.allocUnsafeSlow(length);
    const head = this.#bytes.copy(copy, 0, at, Math.min(at + length, this.#bytes.length));
    this.#bytes.copy(copy, head, 0, length - head);
    return copy;
  }

  #reserve(needed: number): void {
    if (needed <= this.#bytes.length) return;
    let size = Math.max(firstBytes, this.#bytes.length);
    while (size < needed) size *= 2;
    const larger = Buffer.allocUnsafeSlow(Math.min(size, this.#capacity));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}
