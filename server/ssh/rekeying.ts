import type { Connection } from "ssh2";
import type { Transport } from "./transport.ts";

/** When new keys are made: RFC 4253 section 9 recommends each gigabyte and each hour. */
export interface RekeyLimits {
  readonly bytes: number;
  readonly ms: number;
}

const usualLimits: RekeyLimits = { bytes: 1024 ** 3, ms: 60 * 60 * 1000 };

/** Starts key exchanges of the gateway's own; the client's own are counted, too. */
export class Rekeying {
  readonly #client: Connection;
  readonly #socket: Transport;
  readonly #limits: RekeyLimits;
  readonly #onStart: () => void;
  #timer: NodeJS.Timeout;
  #startedAt = 0;
  #running = false;

  /** @param onStart from here on ssh2 keeps what it is given to send, until it emits `rekey`. */
  constructor(
    { client, socket }: { client: Connection; socket: Transport },
    limits: RekeyLimits | undefined,
    onStart: () => void,
  ) {
    this.#client = client;
    this.#socket = socket;
    this.#limits = limits ?? usualLimits;
    this.#onStart = onStart;
    this.#timer = this.#arm();
    client.on("rekey", () => this.#done());
    socket.on("close", () => clearTimeout(this.#timer));
  }

  /** To be called after bytes have passed, either way. */
  check(): void {
    const { bytesRead, bytesWritten } = this.#socket;
    if (bytesRead + bytesWritten - this.#startedAt >= this.#limits.bytes) this.#start();
  }

  #start(): void {
    if (this.#running || this.#socket.destroyed) return;
    this.#running = true;
    this.#onStart();
    // Of ssh2's Client on the server's side, and not in its types. Ignored during an exchange.
    (this.#client as unknown as { rekey(): void }).rekey();
  }

  #done(): void {
    this.#running = false;
    this.#startedAt = this.#socket.bytesRead + this.#socket.bytesWritten;
    clearTimeout(this.#timer);
    this.#timer = this.#arm();
  }

  #arm(): NodeJS.Timeout {
    return setTimeout(() => this.#start(), this.#limits.ms).unref();
  }
}
