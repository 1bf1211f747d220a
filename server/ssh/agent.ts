import type { Connection } from "ssh2";
import { openAgentChannel } from "./agent-channel.ts";
import type { Door } from "./door.ts";
import { Places, serveListener } from "./listener.ts";

/** Of one SSH connection at a time; the workspace's supervisor closes those that nobody takes. */
const maxUses = 64;

/**
 * `ssh -A`: a socket inside the workspace whose every connection goes to the agent of the person's
 * machine. It is made when the first session asks for it, and goes with the SSH connection.
 */
export class AgentForwarding {
  readonly #client: Connection;
  readonly #door: Door;
  readonly #places = new Places(maxUses);
  #socket: Promise<string | null> | null = null;

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
    const listener = await this.#door.supervisors.listen(target);
    const openChannel = () => openAgentChannel(this.#client);
    const served = { door: this.#door, target, openChannel, places: this.#places };
    void serveListener(listener, served).then(() => {
      // The workspace has stopped, say: a later session makes a new one.
      this.#socket = null;
    });
    return listener.path;
  }
}
