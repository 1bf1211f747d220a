import type { Transport } from "./transport.ts";

/**
 * For a client that itself waits for our KEXINIT before it sends its own: rare, and then this is
 * what it pays.
 */
const holdAtMostMs = 100;

/**
 * Holds back our first key exchange packet until the client's has arrived. OpenSSH's client sends
 * its KEXINIT and then, as soon as it has ours, the next packet; with ours underway already, that
 * packet waits in the client's kernel (Nagle) for the acknowledgement of the one before, which our
 * kernel delays by 40 ms because we have nothing to say. Held back, our KEXINIT carries that
 * acknowledgement.
 *
 * To be called in the server's `connection` event, which ssh2 emits when the client's
 * identification has been read and immediately before it writes our KEXINIT. Nothing private is
 * touched: what ssh2 writes next waits in the corked socket.
 *
 * @param identification the client's line, as the event gives it.
 */
export function holdKexInit(socket: Transport, identification: string): void {
  const line = Buffer.byteLength(identification, "latin1") + "\r\n".length;
  // The client did not wait for our identification: its KEXINIT is here already, or coming.
  if (socket.bytesRead > line) return;
  socket.cork();
  const release = (): void => {
    clearTimeout(timer);
    socket.off("data", release);
    socket.off("close", release);
    socket.uncork();
  };
  const timer = setTimeout(release, holdAtMostMs);
  socket.on("data", release);
  socket.on("close", release);
}
