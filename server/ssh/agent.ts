import type { Connection } from "ssh2";
import type { Listening } from "../terminals/listening.ts";
import type { Target } from "../terminals/supervisors.ts";
import { openAgentChannel } from "./agent-channel.ts";
import type { Door } from "./door.ts";
import { join } from "./join.ts";

/** Of one SSH connection at a time; the workspace's supervisor closes those that nobody takes. */
const maxUses = 64;

/**
 * `ssh -A`: a socket inside the workspace whose every connection goes to the agent of the person's
 * machine. It is made when the first session asks for it, and goes with the SSH connection.
 */
export class AgentForwarding {
  readonly #client: Connection;
  readonly #door: Door;
  #socket: Promise<string | null> | null = null;
  #uses = 0;

  constructor(client: Connection, door: Door) {
    this.#client = client;
    this.#door = door;
  }

  /** Where programs of this connection find the agent; `null` when that cannot be. Never rejects. */
  socket(): Promise<string | null> {
    this.#socket ??= this.#listen().catch((error: unknown) => {
      // As sshd: the session is worth more than the agent.
      this.#door.log.debug({ err: error }, "an agent could not be forwarded");
      this.#socket = null;
      return null;
    });
    return this.#socket;
  }

  async #listen(): Promise<string> {
    const target = await this.#door.target();
    const listening = await this.#door.supervisors.listen(target);
    const forget = this.#door.whenClosed(() => listening[Symbol.dispose]());
    void this.#serve(target, listening).finally(() => {
      forget();
      // The workspace has stopped, say: a later session makes a new one.
      this.#socket = null;
    });
    return listening.path;
  }

  async #serve(target: Target, { connections }: Listening): Promise<void> {
    try {
      for await (const id of connections) {
        if (this.#uses >= maxUses) continue;
        this.#uses += 1;
        this.#use(target, id)
          .catch((error: unknown) => {
            this.#door.log.debug({ err: error }, "an agent was not reached");
          })
          .finally(() => (this.#uses -= 1));
      }
    } catch (error) {
      this.#door.log.debug({ err: error }, "a forwarded agent's socket is gone");
    }
  }

  async #use(target: Target, id: string): Promise<void> {
    const socket = await this.#door.supervisors.accept(target, id);
    const forget = this.#door.whenClosed(() => socket.destroy());
    try {
      if (socket.destroyed) return;
      const channel = await openAgentChannel(this.#client);
      if (socket.destroyed) channel.end();
      else await join(channel, socket, this.#door);
    } finally {
      forget();
      socket.destroy();
    }
  }
}
