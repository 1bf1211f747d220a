import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transform } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

/** A way to the real engine that can be made to accept and never answer. */
export interface SilentEngine extends AsyncDisposable {
  /** For DOCKER_HOST. */
  readonly url: string;
  /** From now on nothing passes, in either direction, on old connections and new ones. */
  silence(): void;
  /** As an engine that restarts: every connection ends, and new ones are answered. */
  restart(): void;
}

/**
 * @param socketPath of the real engine
 * @param late requests that reach it a second after all others
 */
export async function startSilentEngine(
  socketPath: string,
  late: RegExp | null = null,
): Promise<SilentEngine> {
  const folder = await mkdtemp(join(tmpdir(), "ol-engine-"));
  const path = join(folder, "docker.sock");
  const sockets = new Set<Socket>();
  let isSilent = false;
  const own = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    own(near);
    if (isSilent) return;
    const far = connect({ path: socketPath, allowHalfOpen: true });
    own(far);
    near.pipe(heldBack(late)).pipe(far);
    far.pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  }).listen(path);
  await once(server, "listening");
  return {
    url: `unix://${path}`,
    silence: () => {
      isSilent = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    restart: () => {
      isSilent = false;
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      await rm(folder, { recursive: true });
    },
  };
}

function heldBack(late: RegExp | null): Transform {
  return new Transform({
    async transform(data: Buffer, _, done) {
      if (late?.test(data.toString("latin1")) === true) await delay(1000);
      done(null, data);
    },
  });
}
