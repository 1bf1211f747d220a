import { closeSync, openSync, readSync } from "node:fs";

/** A TCP socket that waits for connections. */
export interface ListeningSocket {
  readonly port: number;
  readonly inode: number;
}

/** How many hexadecimal digits an address has in /proc/net/tcp and in /proc/net/tcp6. */
export type AddressDigits = 8 | 32;

/** The kernel writes a page at a time into such files. */
const pageBytes = 4096;

/** About 1,700 sockets: beyond what is told anyway. */
const maxBytes = 256 * 1024;

const newline = 10;
const colon = 58;

/** The field `st` of a socket that listens: TCP_LISTEN of the kernel's net/tcp_states.h. */
const listenState = Buffer.from("0A");

/** 127.0.0.1, as a little-endian machine prints it. */
const loopback = "0100007F";
const loopbackNet = /^.{6}7F$/;
const mappedPrefix = "0000000000000000FFFF0000";

/**
 * The listening sockets in a file like /proc/net/tcp. A look that finds nothing new costs a read of
 * one page and a comparison: the kernel lists sockets that listen before all others
 * (tcp_seq_start in net/ipv4/tcp_ipv4.c), so that the thousands of connections of a load test are
 * never read, and what the timers of connections change is never compared.
 */
export class ListeningTable implements Disposable {
  readonly #path: string;
  /** From a line's colon to its `st`: a blank, and twice address, colon, port and blank. */
  readonly #stateAt: number;
  #fd: number | null = null;
  #now: Buffer = Buffer.allocUnsafeSlow(2 * pageBytes);
  #before: Buffer = Buffer.allocUnsafeSlow(2 * pageBytes);
  #lengthBefore = 0;
  #sockets: readonly ListeningSocket[] = [];

  constructor(path: string, digits: AddressDigits) {
    this.#path = path;
    this.#stateAt = 2 + 2 * (digits + ":".length + "FFFF".length + " ".length);
  }

  get sockets(): readonly ListeningSocket[] {
    return this.#sockets;
  }

  /** Whether the sockets changed since the last look. A file that cannot be read has none. */
  look(): boolean {
    const length = this.#read();
    if (
      length === this.#lengthBefore &&
      this.#now.compare(this.#before, 0, length, 0, length) === 0
    ) {
      return false;
    }
    const lines = this.#now.toString("latin1", 0, length).split("\n").slice(1, -1);
    [this.#now, this.#before] = [this.#before, this.#now];
    this.#lengthBefore = length;
    this.#sockets = lines.flatMap((line) => parseLine(line));
    return true;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  /** Fills `#now`; gives the length of the heading and of the lines of listening sockets. */
  #read(): number {
    let filled = 0;
    let length = 0;
    try {
      this.#fd ??= openSync(this.#path, "r");
      for (;;) {
        if (filled + pageBytes > this.#now.length && !this.#grow()) return length;
        const got = readSync(this.#fd, this.#now, filled, pageBytes, filled);
        if (got === 0) return length;
        filled += got;
        const end = this.#endOfListening(length, filled);
        length = end.at;
        if (end.known) return length;
      }
    } catch {
      // No IPv6 here, or no /proc.
      return length;
    }
  }

  /** From a line's start: the start of the first whole line whose socket does not listen. */
  #endOfListening(from: number, filled: number): { at: number; known: boolean } {
    let at = from;
    for (;;) {
      const end = this.#now.indexOf(newline, at);
      if (end < 0 || end >= filled) return { at, known: false };
      const state = this.#now.indexOf(colon, at) + this.#stateAt;
      const listens =
        // The heading.
        at === 0 || this.#now.compare(listenState, 0, 2, state, state + 2) === 0;
      if (!listens) return { at, known: true };
      at = end + 1;
    }
  }

  #grow(): boolean {
    if (this.#now.length >= maxBytes) return false;
    const larger = Buffer.allocUnsafeSlow(this.#now.length * 2);
    this.#now.copy(larger);
    this.#now = larger;
    const alike = Buffer.allocUnsafeSlow(larger.length);
    this.#before.copy(alike);
    this.#before = alike;
    return true;
  }
}

/** proc(5), /proc/net/tcp: number, local address, remote address, state, …, inode. */
function parseLine(line: string): ListeningSocket[] {
  const fields = line.trim().split(/\s+/);
  const [address = "", port = ""] = (fields[1] ?? "").split(":");
  const v4 = address.startsWith(mappedPrefix) ? address.slice(mappedPrefix.length) : address;
  // Of 127.0.0.0/8 `localhost` is one address; at another one is, say, Docker's name server.
  if (v4.length === 8 && loopbackNet.test(v4) && v4 !== loopback) return [];
  return [{ port: Number.parseInt(port, 16), inode: Number(fields[9]) }];
}
