import type { ServerChannel } from "ssh2";
import type { Connections } from "../terminals/listening.ts";
import type { Target } from "../terminals/supervisors.ts";
import type { Door } from "./door.ts";
import { join } from "./join.ts";

export interface ServeOptions {
  readonly door: Door;
  readonly target: Target;
  /** Asks the client for a channel to what its programs are to reach. */
  readonly openChannel: () => Promise<ServerChannel>;
  readonly places: Places;
}

/**
 * Joins each connection that comes to a place inside with a channel to the client, until the place or
 * the SSH connection is gone. Resolves when nobody listens there any more; connections that were
 * joined may go on. Never rejects.
 */
export async function serveListener(listener: Connections, options: ServeOptions): Promise<void> {
  const { door, places } = options;
  const forget = door.whenClosed(() => listener[Symbol.dispose]());
  try {
    for await (const id of listener.connections) {
      // Those that find no place wait in the workspace, whose supervisor closes them in the end.
      await places.free();
      places.take();
      use(id, options)
        .catch((error: unknown) => door.log.debug({ err: error }, "a client was not reached"))
        .finally(() => places.leave());
    }
  } catch (error) {
    door.log.debug({ err: error }, "a place inside the workspace is gone");
  } finally {
    forget();
  }
}

async function use(id: string, { door, target, openChannel }: ServeOptions): Promise<void> {
  const socket = await door.supervisors.accept(target, id);
  const forget = door.whenClosed(() => socket.destroy());
  try {
    if (socket.destroyed) return;
    const channel = await openChannel();
    if (socket.destroyed) channel.end();
    else await join(channel, socket, door);
  } finally {
    forget();
    socket.destroy();
  }
}

/** A number of places, and waiting for one. */
export class Places {
  #left: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#left = count;
  }

  async free(): Promise<void> {
    while (this.#left === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  take(): void {
    this.#left -= 1;
  }

  leave(): void {
    this.#left += 1;
    this.#waiting.shift()?.();
  }
}
