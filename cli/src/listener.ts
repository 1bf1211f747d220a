import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { endianness } from "node:os";

/** States of a socket (include/net/tcp_states.h). */
const established = "01";
const listening = "0A";

/** A line of /proc/net/tcp or tcp6 (proc(5)). */
interface Row {
  /** `<address>:<port>` in hexadecimal digits, as the kernel writes them. */
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly uid: number;
  /** 0 until a program has accepted the connection, and when it has let go of it. */
  readonly inode: string;
}

/**
 * The users whose program holds, or alone can accept, the other end of a connection within this
 * machine. Asked of the connection itself: who listens at its port may be another one by now.
 *
 * @returns none where nobody of this machine holds it; `null` where the kernel does not tell (no
 * Linux).
 */
export async function peerUids(socket: Socket): Promise<number[] | null> {
  const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = socket;
  // The same connection as its other end sees it; in the table of IPv6 where that end is dual.
  const ends = forms(remoteAddress).map((address, at) => ({
    local: `${address}:${hexPort(remotePort)}`,
    remote: `${forms(localAddress)[at]}:${hexPort(localPort)}`,
  }));
  const find = (rows: readonly Row[]): Row | undefined =>
    rows.find(
      ({ local, remote, state }) =>
        state === established && ends.some((end) => end.local === local && end.remote === remote),
    );
  const first = await readTables();
  if (first === null) return null;
  const before = find(first);
  if (before === undefined) return [];
  if (before.inode !== "0") return [before.uid];
  // It waits to be accepted by who listens. Looked at again after those: if it still waits then, it
  // is one of them, as it ends with its listener.
  const second = (await readTables()) ?? [];
  const after = find(second);
  if (after === undefined) return [];
  if (after.inode !== "0") return [after.uid];
  const port = `:${hexPort(remotePort)}`;
  const listeners = second.filter(
    ({ local, state }) => state === listening && local.endsWith(port),
  );
  return [...new Set(listeners.map(({ uid }) => uid))];
}

async function readTables(): Promise<Row[] | null> {
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => null)),
  );
  if (tables.every((table) => table === null)) return null;
  return tables.flatMap((table) => parseRows(table ?? ""));
}

function parseRows(table: string): Row[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      const [, local, remote, state] = columns;
      if (local === undefined || remote === undefined || state === undefined) return [];
      return [{ local, remote, state, uid: Number(columns[7]), inode: columns[9] ?? "0" }];
    });
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

/** An address as the kernel prints it: an IPv4 one by itself and as mapped into IPv6. */
function forms(address: string): string[] {
  const v4 = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address)?.slice(1).map(Number);
  if (v4 !== undefined) return [words(v4), words([...mappedPrefix, ...v4])];
  // Of IPv6 there is one loopback address.
  return [words([...Array<number>(15).fill(0), 1])];
}

const mappedPrefix = [...Array<number>(10).fill(0), 0xff, 0xff];

/** Words of 32 bits, each in the machine's own order of bytes. */
function words(bytes: readonly number[]): string {
  const hex = bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
  const parts = Array.from({ length: hex.length / 4 }, (_, at) => hex.slice(at * 4, at * 4 + 4));
  return parts.map((word) => (endianness() === "LE" ? word.toReversed() : word).join("")).join("");
}
