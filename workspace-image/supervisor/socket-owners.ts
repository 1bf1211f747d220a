import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/**
 * How many descriptors one search looks at: some 30 ms. A process that opens thousands of them costs
 * the others their names, and never the supervisor its time.
 */
const maxLooks = 10_000;

/** What the protocol allows for a name. */
const maxNameLength = 64;

/** What newer versions of Node call their main thread, whatever program it is. */
const threadNames = new Set(["MainThread", "node-MainThread"]);

/**
 * The names of the programs that hold sockets, by the sockets' inodes. Those of other containers and
 * of other users cannot be seen, and are missing.
 */
export function ownersOf(inodes: ReadonlySet<number>): Map<number, string> {
  const found = new Map<number, string>();
  let looks = 0;
  for (const pid of processesNewestFirst()) {
    for (const fd of entries(`/proc/${pid}/fd`)) {
      looks += 1;
      if (looks > maxLooks) return found;
      const inode = socketInode(`/proc/${pid}/fd/${fd}`);
      if (inode === null || !inodes.has(inode) || found.has(inode)) continue;
      const name = nameOf(pid);
      if (name !== null) found.set(inode, name);
      if (found.size === inodes.size) return found;
    }
  }
  return found;
}

/** What listens since just now was probably started just now. */
function processesNewestFirst(): number[] {
  return entries("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .sort((a, b) => b - a);
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // It ended, or is another user's.
    return [];
  }
}

function socketInode(descriptor: string): number | null {
  try {
    const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(descriptor));
    return match === null ? null : Number(match[1]);
  } catch {
    return null;
  }
}

/** A program chooses its own name: it is cut, and no control character of it is passed on. */
function nameOf(pid: number): string | null {
  try {
    const own = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    const name = threadNames.has(own) ? basename(readlinkSync(`/proc/${pid}/exe`)) : own;
    return name.replaceAll(/\p{Cc}/gu, "").slice(0, maxNameLength) || null;
  } catch {
    return null;
  }
}
