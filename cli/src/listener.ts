import { readFile } from "node:fs/promises";

/** The state LISTEN of a socket (include/net/tcp_states.h). */
const listening = "0A";

/**
 * The users whose programs listen on a TCP port of this machine; empty where the kernel does not
 * tell (no Linux), or nobody listens.
 */
export async function listenerUids(port: number): Promise<number[]> {
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  return tables.flatMap((table) => uidsIn(table, port));
}

/** Columns of /proc/net/tcp (proc(5)): number, local address:port, remote, state, …, uid as the 8th. */
function uidsIn(table: string, port: number): number[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      const localPort = Number.parseInt(columns[1]?.split(":")[1] ?? "", 16);
      return localPort === port && columns[3] === listening ? [Number(columns[7])] : [];
    });
}
