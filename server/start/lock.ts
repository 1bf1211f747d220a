import { chmod, link, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { OneloopError } from "../protocol/errors.ts";

/**
 * One control plane for a data folder. The lock is a listening unix socket: it dies with its
 * process, however that ends, and it says who holds it.
 *
 * The socket is linked into its place only when it listens already, so that a connection that is
 * refused always means a dead owner.
 *
 * @throws OneloopError `conflict` that names the process that holds the lock.
 */
export async function lockDataDir(dataDir: string): Promise<AsyncDisposable> {
  const path = join(dataDir, "control-plane.lock");
  const mine = join(dataDir, `lock.${process.pid}`);
  await rm(mine, { force: true });
  const server = await listen(mine);
  try {
    await chmod(mine, 0o600);
    for (;;) {
      if (await linked(mine, path)) break;
      const holder = await ask(path);
      if (holder === "gone") continue;
      if (holder !== "dead") throw alreadyRunning(dataDir, holder.pid);
      // Another start may have taken the place since: look at what was really moved away.
      const moved = `${mine}.old`;
      await rename(path, moved).catch(ignoreMissing);
      const stolen = await ask(moved);
      if (typeof stolen === "object") {
        await link(moved, path).catch(() => undefined);
        await rm(moved, { force: true });
        throw alreadyRunning(dataDir, stolen.pid);
      }
      await rm(moved, { force: true });
    }
  } catch (error) {
    await close(server);
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
  return {
    async [Symbol.asyncDispose]() {
      await rm(path, { force: true });
      await close(server);
    },
  };
}

function alreadyRunning(dataDir: string, pid: string): OneloopError {
  return new OneloopError(
    "conflict",
    `A control plane is already running on ${dataDir} (process ${pid}). ` +
      "Stop it first, or set ONELOOP_DATA_DIR, ONELOOP_PORT and ONELOOP_SSH_PORT for a second one.",
  );
}

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(String(process.pid));
  });
  // The lock alone must not keep a process that has nothing else to do.
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Who answers at a lock: nobody any more (`dead`), no such file (`gone`), or a process. */
function ask(path: string): Promise<"dead" | "gone" | { pid: string }> {
  return new Promise((resolve, reject) => {
    let pid = "";
    const socket = connect(path);
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => (pid += text));
    socket.on("end", () => resolve({ pid }));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") resolve("dead");
      else if (error.code === "ENOENT") resolve("gone");
      // Accepted, then closed: its owner ended in this moment, and removes the file itself.
      else if (error.code === "ECONNRESET") resolve("gone");
      else reject(error);
    });
  });
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
