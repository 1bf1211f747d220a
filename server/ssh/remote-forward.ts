import type { Connection, ServerChannel, SocketBindInfo, TcpipBindInfo } from "ssh2";
import type { Connections } from "../terminals/listening.ts";
import type { Target } from "../terminals/supervisors.ts";
import type { Door } from "./door.ts";
import { Places, serveListener } from "./listener.ts";

/** Of one SSH connection at a time; each is a connection to the supervisor. */
const maxRemoteForwards = 128;

/** Of one SSH connection at a time, to all that it forwards; more wait for their turn. */
const maxForwardedConnections = 256;

/** ssh2 gives neither where the client wants no reply. */
interface Reply {
  readonly accept: ((chosenPort?: number) => void) | undefined;
  readonly reject: (() => void) | undefined;
}

/**
 * Serves what a client asks with `ssh -R`, as long as it is connected.
 *
 * @param onTooMany called for each that is refused for their number.
 */
export function serveRemoteForwards(client: Connection, door: Door, onTooMany: () => void): void {
  const forwards = new RemoteForwards(client, door, onTooMany);
  // The event's types say two listeners, of which each gets all four requests.
  const listener = (
    accept: Reply["accept"],
    reject: Reply["reject"],
    ...request: ForwardRequest
  ): void => void forwards.serve(request, { accept, reject });
  client.on("request", listener as () => void);
}

/** A client's global request, as ssh2 names it. */
type ForwardRequest =
  | ["tcpip-forward" | "cancel-tcpip-forward", TcpipBindInfo]
  | ["streamlocal-forward@openssh.com" | "cancel-streamlocal-forward@openssh.com", SocketBindInfo];

/**
 * `ssh -R`: what listens inside the workspace for programs there, and leads to the client. A port
 * listens on the loopback whatever address the client names (sshd's `GatewayPorts no`). All of it
 * goes with the SSH connection.
 */
class RemoteForwards {
  readonly #client: Connection;
  readonly #door: Door;
  readonly #onTooMany: () => void;
  readonly #listeners = new Map<string, Connections>();
  readonly #places = new Places(maxForwardedConnections);
  /** Being made, or made. */
  #count = 0;

  constructor(client: Connection, door: Door, onTooMany: () => void) {
    this.#client = client;
    this.#door = door;
    this.#onTooMany = onTooMany;
  }

  /** Serves one request, and answers it. Never rejects. */
  async serve([name, info]: ForwardRequest, reply: Reply): Promise<void> {
    switch (name) {
      case "cancel-tcpip-forward":
        this.#cancel(tcpKey(info, info.bindPort), reply);
        return;
      case "cancel-streamlocal-forward@openssh.com":
        this.#cancel(info.socketPath, reply);
        return;
      case "tcpip-forward":
        await this.#listen(reply, () => this.#listenTcp(info));
        return;
      case "streamlocal-forward@openssh.com":
        await this.#listen(reply, () => this.#listenPath(info));
        return;
    }
  }

  async #listen({ accept, reject }: Reply, listen: () => Promise<number>): Promise<void> {
    if (this.#count >= maxRemoteForwards) {
      this.#onTooMany();
      reject?.();
      return;
    }
    this.#count += 1;
    try {
      accept?.(await listen());
    } catch (error) {
      this.#count -= 1;
      this.#door.log.debug({ err: error }, "a forward into the workspace was refused");
      reject?.();
    }
  }

  /** @returns the port that was chosen. */
  async #listenTcp(info: TcpipBindInfo): Promise<number> {
    const target = await this.#door.target();
    const listener = await this.#door.supervisors.listenTcp(target, info.bindPort);
    const { port } = listener;
    // The client knows what it asked for by the address that it asked for.
    const from = [info.bindAddr, port, "127.0.0.1", 0] as const;
    this.#serve(listener, { key: tcpKey(info, port), target }, () =>
      promised((callback) => this.#client.forwardOut(...from, callback)),
    );
    return port;
  }

  /** @returns a number that stands for nothing: a socket's answer has none. */
  async #listenPath({ socketPath }: SocketBindInfo): Promise<number> {
    const target = await this.#door.target();
    const listener = await this.#door.supervisors.listen(target, socketPath);
    this.#serve(listener, { key: socketPath, target }, () =>
      promised((callback) => this.#client.openssh_forwardOutStreamLocal(socketPath, callback)),
    );
    return 0;
  }

  #serve(
    listener: Connections,
    { key, target }: { readonly key: string; readonly target: Target },
    openChannel: () => Promise<ServerChannel>,
  ): void {
    this.#listeners.set(key, listener);
    const served = { door: this.#door, target, openChannel, places: this.#places };
    void serveListener(listener, served).then(() => {
      this.#count -= 1;
      // By then the client may have cancelled it, and asked for it again.
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
    });
  }

  #cancel(key: string, { accept, reject }: Reply): void {
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    listener?.[Symbol.dispose]();
    if (listener === undefined) reject?.();
    else accept?.();
  }
}

/** No path of a socket, which has no NUL. */
function tcpKey({ bindAddr }: TcpipBindInfo, port: number): string {
  return `${bindAddr}\0${port}`;
}

function promised(
  open: (callback: (error: Error | undefined, channel: ServerChannel) => void) => void,
): Promise<ServerChannel> {
  return new Promise((resolve, reject) => {
    open((error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(error);
    });
  });
}
