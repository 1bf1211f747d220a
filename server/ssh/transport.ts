import { Duplex } from "node:stream";

/** What an SSH connection runs over: a TCP connection, or something that a proxy lets through. */
export interface Transport extends Duplex {
  readonly bytesRead: number;
  /** With those that wait to be sent. */
  readonly bytesWritten: number;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** Apart from TCP's own names: the same address and port may have a connection of each kind. */
  readonly remoteFamily?: string | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** The two ends of the connection that a stream came over. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** A stream of bytes as the gateway reads a connection: it counts, and knows who is at its ends. */
export class StreamTransport extends Duplex implements Transport {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily = "stream";
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly #stream: Duplex;
  #read = 0;
  #sent = 0;

  constructor(stream: Duplex, ends: Ends) {
    super({ allowHalfOpen: false });
    this.#stream = stream;
    this.remoteAddress = ends.remoteAddress;
    this.remotePort = ends.remotePort;
    this.localAddress = ends.localAddress;
    this.localPort = ends.localPort;
    stream.on("data", (chunk: Buffer) => {
      this.#read += chunk.length;
      if (!this.push(chunk)) stream.pause();
    });
    stream.on("end", () => this.push(null));
    stream.on("error", (error) => this.destroy(error));
    stream.on("close", () => this.destroy());
  }

  get bytesRead(): number {
    return this.#read;
  }

  get bytesWritten(): number {
    return this.#sent + this.writableLength;
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.write(chunk, (error) => {
      this.#sent += chunk.length;
      done(error);
    });
  }

  override _final(done: () => void): void {
    this.#stream.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.destroy();
    done(error);
  }
}
