import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

/**
 * The process of this machine that listens at a port of an IPv4 address.
 *
 * @throws Error where none does.
 */
export async function listenerAt(port: number): Promise<number> {
  const table = await readFile("/proc/net/tcp", "utf8");
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  const row = rows.find(([, local, , state]) => local?.endsWith(wanted) && state === "0A");
  const link = `socket:[${row?.[9]}]`;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${pid}/fd`;
    for (const fd of await readdir(folder).catch(() => [])) {
      if ((await readlink(join(folder, fd)).catch(() => "")) === link) return Number(pid);
    }
  }
  throw new Error(`nobody listens at ${port}`);
}
