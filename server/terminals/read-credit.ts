import { encodeCredit } from "../protocol/frames.ts";
import { FramedInput } from "./framed-input.ts";

/**
 * How much of a forwarded connection is on its way from the supervisor to us at a time. Without a
 * bound the kernels keep eight megabytes of it, which each step of the way then finds cold; of 256 KiB
 * to 2 MiB this moved most.
 */
export const forwardWindowBytes = 512 * 1024;

/** Less waits for more: who says little at a time would have each word acknowledged. */
const leastCreditBytes = 64 * 1024;

/** Our end of a dial with a window: what goes to the supervisor goes in frames. */
export class ReadCredit extends FramedInput {
  #owedBytes = 0;

  /** To be called with the size of each piece as soon as it is read. */
  took(bytes: number): void {
    this.#owedBytes += bytes;
    // After our end nobody reads it, nor asks for it.
    if (this.#owedBytes < leastCreditBytes || !this.socket.writable) return;
    this.socket.write(encodeCredit(this.#owedBytes));
    this.#owedBytes = 0;
  }

  /** The end of what goes there. */
  end(): void {
    this.uncork();
    this.socket.end();
  }
}
